# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Texts of drivers and clients without the secrets of the URLs that these were given. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, unquote, urlsplit

HIDDEN = "<hidden>"
_SECRET_OPTION = re.compile(r"pass|secret|token", re.IGNORECASE)


def redacted(text: str, *urls: str) -> str:
    """``text`` without ``urls`` and without their passwords, as these stand in a URL and as a driver decodes them."""
    found = {secret for url in urls for secret in _secrets(url)}
    # The longest first: a password may be a part of another one.
    for secret in sorted(found, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def reason(error: BaseException, *urls: str) -> str:
    """The kind of ``error`` and the first line of what it says, without the secrets in ``urls``."""
    return redacted(f"{type(error).__name__}: {error}", *urls).splitlines()[0]


def _secrets(url: str) -> Iterator[str]:
    """Every spelling of the secrets in ``url``."""
    if not url:
        return
    yield url
    try:
        parts = urlsplit(url)
        options = parse_qsl(parts.query)
    except ValueError:
        return
    passwords = [
        parts.password or "",
        *(quote(value, safe="") for name, value in options if _SECRET_OPTION.search(name)),
    ]
    for password in filter(None, passwords):
        plain = unquote(password)
        # As it is, decoded, as Python shows a text, and encoded again by a driver that leaves out other characters than
        # we do.
        yield from {password, plain, repr(plain)[1:-1], quote(plain, safe=""), quote(plain)}
