# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Controller side of the module rotate_secrets: makes new secrets and remembers how far their rotation is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.plugin_utils import _broker, _kept, _problem, _rotation, _secret_store, _secrets


class ActionModule(ActionBase):
    """See plugins/modules/rotate_secrets.py for the documentation."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return all secrets as they are after the step. Raises AnsibleActionFail when one of them cannot be rotated."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        path = Path(self._task.args["path"]).expanduser()
        step, names = self._task.args["step"], self._task.args.get("names", [])
        with _kept.locked(path):
            stored, rotation = _secret_store.read(self._loader, path)
            if step in ("check", "begin"):
                self._check(names, stored, task_vars or {})
            if step == "begin":
                values, state = _rotation.begin(stored, rotation, names)
            elif step in ("finish_jwt_secret", "use_fernet_key", "drop_fernet_key"):
                values, state = getattr(_rotation, step)(stored, rotation)
            else:
                values, state = stored, rotation
            result["changed"] = (values, state) != (stored, rotation)
            if result["changed"] and not self._task.check_mode:
                _secret_store.write(self._loader, path, values, state)
        result["rotating"] = _rotation.rotating(stored, rotation, names)
        if step != "check":
            before, after = _secrets.in_force(stored, rotation), _secrets.in_force(values, state)
            # What the inventory sets itself stays as it is.
            changed = {name: value for name, value in after.items() if value != before.get(name)}
            result["secrets"] = {**self._task.args["secrets"], **changed}
        return result

    def _check(self, names: list[str], stored: dict[str, str], variables: dict[str, Any]) -> None:
        """Raise AnsibleActionFail with everything that speaks against the rotation."""
        cluster = variables["airflow_cluster"]
        problems = _rotation.check(
            names, stored, self._given(variables), str(variables.get("ansible_limit", "")), cluster["foreign_secrets"]
        )
        if problems := [*problems, *_broker.check_rotation(names, cluster["broker"])]:
            raise AnsibleActionFail(_problem.report(problems))

    def _given(self, variables: dict[str, Any]) -> dict[str, str]:
        """The secrets that this run has as variables: from the file, as it was at the start, or from elsewhere."""
        names = [name for name in _secrets.GENERATORS if variables.get(f"airflow_{name}")]
        return {name: str(self._templar.template(variables[f"airflow_{name}"])) for name in names}
