# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text as haproxy.cfg wants it."""

from __future__ import annotations

import re
from collections.abc import Iterable


def haproxy_quote(value: str) -> str:
    """``value`` as one word of haproxy.cfg, whatever it holds.

    Raises ValueError for a line break or NUL: no quoting saves those.
    """
    if re.search(r"[\n\r\0]", value):
        raise ValueError("a value of haproxy.cfg must not contain line breaks")
    return '"' + re.sub(r'(["\\$])', r"\\\1", value) + '"'


def haproxy_path_regex(paths: Iterable[str]) -> str:
    """Quoted regular expression for a decoded URL path that is one of ``paths`` or lies below it.

    Repeated slashes count as one, so that no spelling of a denied path gets through.
    """
    alternatives = ["/+".join(re.escape(part) for part in path.strip("/").split("/")) for path in paths]
    return haproxy_quote(f"^/+({'|'.join(alternatives)})(/|$)")
