# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the secrets that the inventory does not give."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Mapping

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import BY_NAME, GENERATED, Kind

_MAKERS: dict[Kind, Callable[[], str]] = {
    "password": lambda: secrets.token_urlsafe(24),
    "signing_key": lambda: secrets.token_urlsafe(64),
    "fernet_key": lambda: base64.urlsafe_b64encode(os.urandom(32)).decode(),
    # Debian's package replaces cookies of exactly 20 capital letters; this one has 64 characters.
    "erlang_cookie": lambda: secrets.token_hex(32),
}


def make(name: str) -> str:
    """A new random value for the secret ``name``. Raises KeyError for one that only the user can know."""
    return _MAKERS[BY_NAME[name].kind]()


def missing(given: Mapping[str, str]) -> dict[str, str]:
    """New values for the secrets that ``given`` lacks, by name."""
    return {name: make(name) for name in GENERATED if not given.get(name)}
