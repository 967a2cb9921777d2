# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file on the controller that keeps the certificates of a cluster and their private keys, and whose they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import vault_file
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.certificates import Keystore
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.identity import Identity

_HEADING = "# Private keys of the cluster's CA and hosts. Store a copy with your backups.\n"
CLUSTER = "cluster"


def plain(value: Any) -> Any:
    """``value`` without what Ansible attaches to texts, which cannot be written as YAML."""
    if isinstance(value, dict):
        return {str(name): plain(entry) for name, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, list) else str(value)


def read(loader: Any, path: Path) -> tuple[Keystore | None, Identity | None]:
    """Certificates, and the cluster that they were made for where the file says so; neither without a file.

    Raises AnsibleActionFail for an external file, and what ``vault_file.read`` raises.
    """
    content = vault_file.read(loader, path) or {}
    if not isinstance(content, dict) or content.keys() - {"ca", "hosts", CLUSTER}:
        raise AnsibleActionFail(f"{path} is not a file of certificates; move it away or set airflow_certificates_file")
    content = plain(content)
    whose = content.pop(CLUSTER, None)
    keystore = Keystore(ca=content["ca"], hosts=content.get("hosts", {})) if content.get("ca") else None
    return keystore, Identity.from_vars(whose, CLUSTER) if whose else None


def write(loader: Any, path: Path, keystore: Keystore, cluster: Identity) -> None:
    """Write the whole file; to be called under ``vault_file.locked(path)``."""
    vault_file.write(loader, path, {**keystore, CLUSTER: plain(cluster.to_vars())}, _HEADING)
