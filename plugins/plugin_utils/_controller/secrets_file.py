# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file on the controller that keeps a cluster's secrets, the state of their rotation, and whose they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import BY_NAME
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import vault_file
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.identity import Identity

HEADING = "# Secrets of the cluster"
_HEADING = (
    f"{HEADING}, created once; only flightdeck.airflow.rotate_secrets replaces them. Store a copy with your backups.\n"
)
PREFIX = "airflow_"
# State, not settings: how far a rotation is, and which cluster the secrets belong to.
_ROTATION = "__airflow_rotation"
CLUSTER = "__airflow_cluster"


@dataclass(frozen=True)
class Content:
    """What the file holds: secrets by name without the prefix, the state of their rotation, and their cluster."""

    values: dict[str, str] = field(default_factory=dict, repr=False)
    rotation: dict[str, Any] = field(default_factory=dict, repr=False)
    cluster: Identity | None = None


def read(loader: Any, path: Path) -> Content:
    """The content of the file, empty without one. Raises AnsibleActionFail for an external file, and what
    ``vault_file.read`` raises."""
    document = vault_file.read(loader, path) or {}
    if not isinstance(document, dict) or unknown(document):
        raise AnsibleActionFail(f"{path} is not a file of secrets; move it away or set airflow_secrets_file")
    cluster = document.get(CLUSTER)
    return Content(
        {
            str(name).removeprefix(PREFIX): str(value)
            for name, value in document.items()
            if str(name).startswith(PREFIX)
        },
        dict(document.get(_ROTATION) or {}),
        Identity.from_vars(json.loads(json.dumps(cluster)), CLUSTER) if cluster else None,
    )


def unknown(document: Mapping[Any, Any]) -> list[str]:
    """Names in ``document`` that are neither secrets nor what this collection records beside them."""
    known = {_ROTATION, CLUSTER, *(f"{PREFIX}{name}" for name in BY_NAME)}
    return sorted(str(name) for name in document if str(name) not in known)


def write(loader: Any, path: Path, content: Content) -> None:
    """Write the whole file; to be called under ``vault_file.locked(path)``."""
    document: dict[str, Any] = {f"{PREFIX}{name}": content.values[name] for name in sorted(content.values)}
    if content.rotation:
        document[_ROTATION] = content.rotation
    if content.cluster:
        document[CLUSTER] = content.cluster.to_vars()
    # Values that came through Ansible carry its tags, which YAML cannot write.
    vault_file.write(loader, path, json.loads(json.dumps(document)), _HEADING)
