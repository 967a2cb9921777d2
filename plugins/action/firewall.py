# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of the module firewall: compares, tries the rules, reconnects, confirms."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.plugins.connection import ConnectionBase
from ansible_collections.flightdeck.airflow.plugins.modules.firewall import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded

_MODULE = "flightdeck.airflow.firewall"


class ActionModule(ActionBase):
    """See plugins/modules/firewall.py for the documentation."""

    TRANSFERS_FILES = False

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """One execution when there is nothing to do. Raises AnsibleActionFail when the new rules keep Ansible out."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        wanted = arguments(self, DOCUMENTATION)
        compared = self._step(task_vars, {**wanted, "step": "compare"})
        result.update(compared)
        done = compared.get("failed") or wanted["state"] == "absent" or compared["current"]
        unwanted = not compared.get("existing") and wanted["existing"]
        if done or unwanted or not compared["installed"] or self._task.check_mode:
            return result
        applied = self._step(task_vars, {**wanted, "step": "apply"})
        if not applied.get("failed") and wanted["confirm"]:
            self._reconnect()
            try:
                applied = self._step(
                    task_vars, {**wanted, "step": "confirm", "active_digest": applied["active_digest"]}
                )
            except AnsibleConnectionFailure as error:
                # The host was reached before, so it is no host that is down, which tasks may ignore.
                raise AnsibleActionFail(
                    "No new connection under the new firewall rules; the earlier ones come back "
                    f"{wanted['guard_seconds']} s after the "
                    f"change. Check airflow_firewall_ssh_ports and airflow_firewall_ssh_sources. {error}"
                ) from error
        result.update(applied, diff=compared.get("diff", {}))
        return result

    def _step(self, task_vars: dict[str, Any] | None, arguments: dict[str, Any]) -> dict[str, Any]:
        return dict(self._execute_module(module_name=_MODULE, module_args=arguments, task_vars=task_vars))

    def _reconnect(self) -> None:
        """Close a persistent connection: the rules accept established ones, so only a new one tests them."""
        # Connections that keep nothing open have no reset of their own and would warn.
        if type(self._connection).reset is not ConnectionBase.reset:
            self._connection.reset()
