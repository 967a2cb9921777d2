# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the connections, variables, pools, users and roles that an inventory declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.module_utils import _objects
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem

_CODES = {
    "shape": Code.FD260,
    "twice": Code.FD261,
    "uri": Code.FD262,
    "value": Code.FD263,
    "reserved": Code.FD264,
}


def check(values: Mapping[str, Any]) -> list[Problem]:
    """Everything that is wrong with the declarations among ``values``, the variables of the cluster.

    What only Airflow knows, such as roles that were made in its UI, is for the module that writes them.
    """
    admin = str(values["airflow_admin_user"])
    return [
        Problem(_CODES[fault.sort], fault.where, fault.found, fault.expected, fault.remedy)
        for plural, kind in _objects.PLURALS.items()
        for fault in _objects.check(kind, values[f"airflow_{plural}"], f"airflow_{plural}", admin)
    ]
