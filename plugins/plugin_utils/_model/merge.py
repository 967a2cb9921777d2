# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of airflow.cfg as nested dictionaries, and how one set goes over another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeAlias

# Section to option to value. A value is anything that YAML has; None stands for Airflow's own default.
Config: TypeAlias = dict[str, dict[str, object]]
# Airflow's one option that holds options, those of Celery.
_NESTED = ("celery", "extra_celery_config")


def overlay(*layers: Mapping[str, Mapping[str, object]]) -> Config:
    """All ``layers`` in one: later ones win, option by option, and within [celery] extra_celery_config key by key.

    An option set to None stays, as None.
    """
    merged: Config = {}
    for layer in layers:
        for section, options in layer.items():
            known = merged.setdefault(section, {})
            for option, value in options.items():
                known[option] = _added(known.get(option), value) if (section, option) == _NESTED else value
    return merged


def _added(first: object, second: object) -> object:
    """Both dictionaries and those in them; each may be JSON text.

    What is no dictionary takes the place of the other.
    """
    below, above = data(first), data(second)
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return second
    return {**below, **{name: _added(below.get(name), value) for name, value in above.items()}}


def merge_config(*layers: Mapping[str, Mapping[str, object]]) -> Config:
    """``overlay`` without options that are None, so that Airflow's own default applies, and without empty sections."""
    merged = overlay(*layers)
    kept = {
        section: {key: value for key, value in options.items() if value is not None}
        for section, options in merged.items()
    }
    return {section: options for section, options in kept.items() if options}


def data(value: object) -> object:
    """``value``, read as JSON when it is text that is JSON."""
    if not isinstance(value, str):
        return value
    try:
        parsed: object = json.loads(value)
        return parsed
    except ValueError:
        return value
