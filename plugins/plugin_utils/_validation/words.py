# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of messages: what a value is, and which known name resembles an unknown one."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterable, Mapping
from typing import Any

# How much two names must have in common, from 0 to 1. Below this, a suggestion misleads.
_CUTOFF = 0.8
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (Mapping, "a dictionary"),
    ((list, tuple), "a list"),
    (str, "text"),
    (bool, "a truth value"),
    ((int, float), "a number"),
    (datetime.date, "a date"),
    (bytes, "binary data"),
    (set, "a set"),
)


def closest(name: str, known: Iterable[str]) -> str:
    """The one of the ``known`` names that ``name`` is most likely a misspelling of; empty when none resembles it.

    Leave out a prefix that all names share: it makes them look alike.
    """
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=_CUTOFF)), "")


def kind_of(value: Any) -> str:
    """What ``value`` is, in the words of YAML."""
    if value is None:
        return "no value"
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "a value of another kind")


def plain(value: Any) -> Any:
    """``value`` without what Ansible attaches to it, to be shown."""
    if isinstance(value, Mapping):
        return {plain(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, datetime.date):
        return str(value)
    for kind in (str, int, float):
        if isinstance(value, kind) and not isinstance(value, bool):
            return kind(value)
    return value
