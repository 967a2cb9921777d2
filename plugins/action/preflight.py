# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of the module preflight: checks what was found on all hosts before anything changes."""

from __future__ import annotations

from typing import Any

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.flightdeck.airflow.plugins.modules.preflight import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.refusal import refuse
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import survey
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Cluster
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import digests
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import preflight as preflight_validation

display = Display()


class ActionModule(ActionBase):
    """See plugins/modules/preflight.py for the documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Raises AnsibleActionFail with every problem found."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = arguments(self, DOCUMENTATION)
        variables = task_vars or {}
        hosts = {}
        for name in variables["ansible_play_hosts"]:
            own = variables["hostvars"][name]
            hosts[name] = {**own["ansible_facts"], "preflight": own[given["facts"]]["preflight"]}
        mark = digests.cluster_mark(
            variables["airflow_cluster"]["name"], str(variables["airflow_secrets"]["digest_key"])
        )
        limit = str(variables.get("ansible_limit") or "")
        cluster = Cluster.from_vars(variables["airflow_cluster"], "airflow_cluster")
        problems, warnings = preflight_validation.check(
            hosts, cluster, mark, limit, deploy=given["deploy"], version_change=given["version_change"]
        )
        refuse(problems)
        for warning in warnings:
            # Not in the result: Ansible may be configured to hide tasks without a change.
            display.display(f"[WARNING]: {warning}", color=C.COLOR_WARN, stderr=True)
        origins = [name for name, host in hosts.items() if host.get("flightdeck_postgresql_data")]
        surveys = survey.survey(preflight_validation.host_data(hosts), cluster)
        result["ansible_facts"] = {
            "flightdeck_postgresql_origins": origins,
            "flightdeck_survey": {name: tier.to_vars() for name, tier in surveys.items()},
        }
        result["changed"] = False
        return result
