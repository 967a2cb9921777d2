# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Controller side of the module firewall: compares, puts on trial, connects anew, confirms."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.plugins.connection import ConnectionBase

_MODULE = "flightdeck.airflow.firewall"


class ActionModule(ActionBase):
    """See plugins/modules/firewall.py for the documentation."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """One execution when there is nothing to do. Raises AnsibleActionFail when the new rules keep Ansible out."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        compared = self._step(task_vars, "compared")
        result.update(compared)
        done = compared.get("failed") or self._task.args.get("state") == "absent" or compared["current"]
        unwanted = not compared.get("existing") and boolean(self._task.args.get("existing", False))
        if done or unwanted or not compared["installed"] or self._task.check_mode:
            return result
        applied = self._step(task_vars, "applied")
        if not applied.get("failed") and boolean(self._task.args.get("confirm", True)):
            self._connect_anew()
            try:
                applied = self._step(task_vars, "confirmed", in_force=applied["in_force"])
            except AnsibleConnectionFailure as error:
                seconds = self._task.args.get("guard_seconds", 60)
                # The host was reached before, so it is no host that is down, which tasks may ignore.
                raise AnsibleActionFail(
                    f"No new connection under the new firewall rules; the earlier ones come back {seconds} s after the change. Look at "
                    f"airflow_firewall_ssh_ports and airflow_firewall_ssh_sources. {error}"
                ) from error
        result.update(applied, diff=compared.get("diff", {}))
        return result

    def _step(self, task_vars: dict[str, Any] | None, step: str, **more: str) -> dict[str, Any]:
        arguments = {**self._task.args, "step": step, **more}
        return dict(self._execute_module(module_name=_MODULE, module_args=arguments, task_vars=task_vars))

    def _connect_anew(self) -> None:
        """Drop a connection that is kept open: the rules let established ones through, so only a new one proves anything."""
        # Connections that keep nothing open have no reset of their own and would warn.
        if type(self._connection).reset is not ConnectionBase.reset:
            self._connection.reset()
