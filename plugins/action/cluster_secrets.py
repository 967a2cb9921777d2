# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Controller side of the module cluster_secrets: makes each secret once and keeps it in the inventory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.plugin_utils import _kept, _secrets

_HEADER = "# Secrets of the cluster, made once. Never made again: keep a copy where you keep backups.\n"


class ActionModule(ActionBase):
    """See plugins/modules/cluster_secrets.py for the documentation."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return all secrets by name. Raises AnsibleActionFail when the file cannot be used."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        path = Path(self._task.args["path"]).expanduser()
        given = {
            name: str(self._templar.template(variables[f"airflow_{name}"]))
            for name in _secrets.GENERATORS
            if variables.get(f"airflow_{name}")
        }
        new = _secrets.missing(given)
        if new:
            # The variables may be older than the file: another run can have written it meanwhile, and nothing is made twice.
            stored = self._store(path, new)
            given = {**stored, **given}
            result["changed"] = any(stored[name] == value for name, value in new.items())
        result["secrets"] = given
        return result

    def _store(self, path: Path, new: dict[str, str]) -> dict[str, str]:
        """Add ``new`` to the file, except what it already holds, and return all that it holds afterwards."""
        if self._task.check_mode:
            return {**new, **self._read(path)}
        with _kept.locked(path):
            stored = self._read(path)
            merged = {**new, **stored}
            if merged != stored:
                _kept.write(self._loader, path, {f"airflow_{name}": merged[name] for name in sorted(merged)}, _HEADER)
        return merged

    def _read(self, path: Path) -> dict[str, str]:
        content = _kept.read(self._loader, path) or {}
        prefix = "airflow_"
        if not isinstance(content, dict) or not all(str(name).startswith(prefix) for name in content):
            raise AnsibleActionFail(f"{path} is not a file of airflow_* variables; move it away or set airflow_secrets_file")
        return {str(name).removeprefix(prefix): str(value) for name, value in content.items()}
