# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Controller side of the module preflight: checks facts of all hosts before anything changes."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._preflight import check_host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._problem import report


class ActionModule(ActionBase):
    """See plugins/modules/preflight.py for the documentation."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Raises AnsibleActionFail with every problem found."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        cluster = variables["airflow_cluster"]
        problems = []
        for name in variables["ansible_play_hosts"]:
            facts = variables["hostvars"][name]["ansible_facts"]
            problems += check_host(
                name,
                facts["distribution"],
                str(facts["distribution_major_version"]),
                f"{facts['python']['version']['major']}.{facts['python']['version']['minor']}",
                cluster["version"]["full"] if cluster["nodes"][name]["components"] else "",
            )
        if problems:
            raise AnsibleActionFail(report(problems))
        result["changed"] = False
        return result
