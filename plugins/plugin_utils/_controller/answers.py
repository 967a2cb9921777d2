# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts said in tasks before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def first_answer(hostvars: Mapping[str, Mapping[str, Any]], names: Iterable[str], fact: str) -> Any:
    """The ``fact`` of the first host of ``names`` that has it, in ``hostvars``: what it asked its service; [] where
    none has."""
    return next((hostvars[name][fact] for name in names if fact in hostvars[name]), [])
