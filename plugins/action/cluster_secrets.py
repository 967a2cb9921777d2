# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Controller side of the module cluster_secrets: makes each secret once and keeps it in the inventory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.modules.cluster_secrets import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import GENERATED, GIVEN
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import secrets, secrets_file, vault_file
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import accounts


class ActionModule(ActionBase):
    """See plugins/modules/cluster_secrets.py for the documentation."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return all secrets by name. Raises AnsibleActionFail when the file cannot be used."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        path = Path(arguments(self, DOCUMENTATION)["path"]).expanduser()
        given = {
            name: str(self._templar.template(variables[f"airflow_{name}"]))
            for name in GENERATED
            if variables.get(f"airflow_{name}")
        }
        rotation = variables.get("__airflow_rotation") or {}
        new = secrets.missing(given)
        if new:
            # The variables may be older than the file: another run can have written it meanwhile, and nothing is made
            # twice.
            stored, rotation = self._write_missing(path, new)
            given = {**stored, **given}
            result["changed"] = any(stored[name] == value for name, value in new.items())
        external = {name: str(self._templar.template(variables.get(f"airflow_{name}") or "")) for name in GIVEN}
        result["secrets"] = {
            **accounts.effective(given, rotation).to_vars(),
            **{name: value for name, value in external.items() if value},
        }
        return result

    def _write_missing(self, path: Path, new: dict[str, str]) -> tuple[dict[str, str], dict[str, Any]]:
        """Add ``new`` to the file, except what it already holds, and return all that it holds afterwards."""
        if self._task.check_mode:
            stored, rotation = secrets_file.read(self._loader, path)
            return {**new, **stored}, rotation
        with vault_file.locked(path):
            stored, rotation = secrets_file.read(self._loader, path)
            merged = {**new, **stored}
            if merged != stored:
                secrets_file.write(self._loader, path, merged, rotation)
        return merged, rotation
