# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of time zones. A controller without a tz database takes every name."""

from __future__ import annotations

import functools
import re
import zoneinfo

# A zone and its difference as POSIX writes them, such as CET-1CEST,M3.5.0,M10.5.0/3.
_POSIX = re.compile(r"([A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)[+-]?\d{1,2}(:\d{2}){0,2}([A-Za-z<].*)?")


@functools.cache
def _names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def is_name(name: str) -> bool:
    """Whether ``name`` is in the tz database."""
    return not _names() or name in _names()


def is_time_zone(text: str) -> bool:
    """Whether the C library reads ``text`` of the variable TZ as a time zone: a name, a file or POSIX's form."""
    name = text.removeprefix(":")
    return name.startswith("/") or is_name(name) or bool(_POSIX.fullmatch(name))
