# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of flightdeck.airflow.preflight_facts: sets what to collect, and records a host without an answer for the
report."""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.module_utils._metadata import decrypts
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Cluster
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.survey import wanted

MODULE = "flightdeck.airflow.preflight_facts"


class ActionModule(ActionBase):
    """See the documentation of the module."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module once. A host that cannot be reached comes back as a result, not as a failure of the task."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        try:
            # A playbook may hand over another model, as a template.
            cluster = self._templar.template(variables["airflow_cluster"])
            name = variables["inventory_hostname"]
        except KeyError as error:
            raise AnsibleActionFail(
                f"{error.args[0]} is not set: import the playbook flightdeck.airflow.phases.preflight first"
            ) from error
        before = time.time()
        try:
            request = wanted(Cluster.from_vars(cluster, "airflow_cluster"), name)
            found = self._execute_module(module_name=MODULE, module_args=request.to_vars(), task_vars=task_vars)
        except AnsibleConnectionFailure as error:
            result["preflight"] = {"unreachable": True, "error": _first_line(error)}
            return result
        except AnsibleError as error:
            result["preflight"] = {"unreachable": False, "error": _first_line(error)}
            return result
        after = time.time()
        if found.get("unreachable") or found.get("failed") or "preflight" not in found:
            # What the shell said is nearer to the cause than what Ansible makes of it.
            said = str(found.get("module_stderr") or found.get("msg") or found.get("module_stdout") or "no answer")
            result["preflight"] = {"unreachable": bool(found.get("unreachable")), "error": _first_line(said)}
            return result
        # What is encrypted goes no further than this: results may be shown, and cached.
        database = found["preflight"]["database"] or {}
        if token := database.pop("token", ""):
            database["decrypts"] = decrypts(token, str(variables["airflow_secrets"]["fernet_key"]))
        now = float(found["preflight"].pop("now"))
        # The host read its clock somewhere between the two: only a difference beyond both is one.
        found["preflight"]["clock"] = [now - after, now - before]
        result.update(found)
        return result


def _first_line(error: object) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else "no answer"
