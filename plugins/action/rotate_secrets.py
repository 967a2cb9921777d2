# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of the module rotate_secrets: makes new secrets and remembers how far their rotation is."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.modules.rotate_secrets import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import GENERATED
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import rotation as rotation_controller
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import secrets_file, vault_file
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.variables import Variables
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import accounts
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import ClusterBroker
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import broker, problem
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import rotation as rotation_validation


class ActionModule(ActionBase):
    """See plugins/modules/rotate_secrets.py for the documentation."""

    TRANSFERS_FILES = False

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return all secrets as they are after the step.

        Raises AnsibleActionFail when one of them cannot be rotated.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        wanted = arguments(self, DOCUMENTATION)
        path, step, names = Path(os.path.expanduser(wanted["path"])), wanted["step"], wanted["names"]
        with vault_file.locked(path):
            content = secrets_file.read(self._loader, path)
            stored, rotation = content.values, content.rotation
            if step in ("check", "begin"):
                self._check(names, stored, task_vars or {})
            if step == "begin":
                values, state = rotation_controller.begin(stored, rotation, names)
            elif step in ("finish_jwt_secret", "use_fernet_key", "drop_fernet_key"):
                values, state = getattr(rotation_controller, step)(stored, rotation)
            else:
                values, state = stored, rotation
            result["changed"] = (values, state) != (stored, rotation)
            if result["changed"] and not self._task.check_mode:
                secrets_file.write(self._loader, path, replace(content, values=values, rotation=state))
        result["rotating"] = rotation_controller.rotating(stored, rotation, names)
        if step != "check":
            generated = [
                {name: value for name, value in each.items() if name in GENERATED} for each in (stored, values)
            ]
            before, after = (
                accounts.effective(*each).to_vars() for each in zip(generated, (rotation, state), strict=True)
            )
            # What the inventory sets itself stays as it is.
            changed = {name: value for name, value in after.items() if value != before.get(name)}
            result["secrets"] = {**wanted["secrets"], **changed}
        return result

    def _check(self, names: list[str], stored: dict[str, str], variables: dict[str, Any]) -> None:
        """Raise AnsibleActionFail with everything that speaks against the rotation."""
        cluster = variables["airflow_cluster"]
        known = Variables(self, variables)
        given = {
            name.removeprefix(secrets_file.PREFIX): str(value)
            for name, value in known.given(f"{secrets_file.PREFIX}{name}" for name in GENERATED)
        }
        limit = str(variables.get("ansible_limit", ""))
        problems = rotation_validation.check(names, stored, given, limit, cluster["external_secrets"])
        if problems := [*problems, *broker.check_rotation(names, ClusterBroker.from_vars(cluster["broker"]))]:
            raise AnsibleActionFail(problem.report(problems))
