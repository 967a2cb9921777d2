# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left of the collection on a host that it left."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import BY_NAME, COMPONENTS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.airflow import unit_patterns


def traces(facts: Mapping[str, Any], account: str) -> list[str]:
    """What ``facts`` of a host, collected after the collection left it, still show of the collection.

    ``account`` is the one that was removed; empty when it was to stay.
    """
    state = facts["preflight"]
    if "error" in state:
        return [f"no answer ({state['error']})"]
    units = [pattern for service in BY_NAME.values() for pattern in service.units]
    units += [pattern for name in COMPONENTS for pattern in unit_patterns(name)]
    found = [
        *state["traces"],
        *facts["flightdeck_units"],
        *(f"release {name}" for name in state["releases"]["installed"]),
        *(path for path, ours in facts["flightdeck_hosts_files"].items() if ours),
        *(
            f"{holder['unit']} on port {port}"
            for port, holder in state["listeners"].items()
            if any(fnmatch.fnmatch(holder["unit"], pattern) for pattern in units)
        ),
        *([f"account {account}"] if account and facts["flightdeck_account"]["user"] else []),
    ]
    return list(dict.fromkeys(found))
