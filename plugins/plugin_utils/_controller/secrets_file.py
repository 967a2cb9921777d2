"""The file on the controller that keeps a cluster's secrets, and the state of their rotation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import vault_file

_HEADING = (
    "# Secrets of the cluster, created once; only rotate_secrets.yml replaces them. Store a copy with your backups.\n"
)
_PREFIX = "airflow_"
# State, not a setting: how far a rotation is.
_ROTATION = "__airflow_rotation"


def read(loader: Any, path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Secrets by name without the prefix, and the state of their rotation.

    Raises AnsibleActionFail for another kind of file.
    """
    document = vault_file.read(loader, path) or {}
    if not isinstance(document, dict) or not all(
        str(name).startswith(_PREFIX) or name == _ROTATION for name in document
    ):
        raise AnsibleActionFail(
            f"{path} is not a file of airflow_* variables; move it away or set airflow_secrets_file"
        )
    rotation = document.pop(_ROTATION, None) or {}
    return {str(name).removeprefix(_PREFIX): str(value) for name, value in document.items()}, dict(rotation)


def write(loader: Any, path: Path, values: dict[str, str], rotation: dict[str, Any]) -> None:
    """Write the whole file; to be called under ``vault_file.locked(path)``."""
    document: dict[str, Any] = {f"{_PREFIX}{name}": values[name] for name in sorted(values)}
    if rotation:
        document[_ROTATION] = rotation
    # Values that came through Ansible carry its tags, which YAML cannot write.
    vault_file.write(loader, path, json.loads(json.dumps(document)), _HEADING)
