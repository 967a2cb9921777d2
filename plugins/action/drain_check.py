# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of flightdeck.airflow.drain_check: computes what is left of the cluster without hosts."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.flightdeck.airflow.plugins.modules.drain_check import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.refusal import refuse
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import drained
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Cluster
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import drain

display = Display()


class ActionModule(ActionBase):
    """See the documentation of the module."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Raises AnsibleActionFail with every problem found."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = arguments(self, DOCUMENTATION)
        variables = task_vars or {}
        hostvars = variables["hostvars"]
        # A playbook may hand over another model, as a template.
        cluster = Cluster.from_vars(self._templar.template(variables["airflow_cluster"]), "airflow_cluster")
        known = [name for name in cluster.nodes if name in hostvars]
        if not given["from_hosts"]:
            deployed = {name: hostvars[name].get("ansible_facts", {}).get("flightdeck_units", []) for name in known}
            limit = str(variables.get("ansible_limit") or "")
            problems = drain.check_hosts(given["hosts"], cluster, limit, deployed)
        else:
            status = {name: hostvars[name].get(given["from_hosts"], {}).get("rows", []) for name in known}
            away = drained.drained_hosts(cluster.nodes, hostvars)
            problems = drain.check_capacity(given["hosts"], away, status, cluster)
        refuse((), problems, given["confirmed"])
        for line in drained.running_lines(given["hosts"], cluster, given["running"]) if given["from_hosts"] else ():
            display.display(line)
        result["changed"] = False
        return result
