# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of flightdeck.airflow.plan_report: prints what the callback plan has collected."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.flightdeck.airflow.plugins.modules.plan_report import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._api import plan
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.files import write_report
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded

display = Display()


class ActionModule(ActionBase):
    """See the documentation of the module."""

    _requires_connection = False
    _supports_check_mode = True

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Print the plan, and write it: the file is no part of a host, so check mode writes it too."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = arguments(self, DOCUMENTATION)
        variables = task_vars or {}
        found = plan.document(
            variables["airflow_cluster"],
            plan.COLLECTED,
            list(variables["ansible_play_hosts_all"]),
            now=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        display.display("\n".join(["", *plan.lines(found), ""]))
        if given["file"]:
            write_report(given["file"], found)
        result.update(changed=False, changes=found["changes"])
        return result
