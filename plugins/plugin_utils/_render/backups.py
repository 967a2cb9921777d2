# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backup says about the cluster that it was made of. Fingerprints stand for secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import GENERATED
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import Secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render.digests import fingerprint

# Has the backups themselves.
_NOT_TOLD = ("digest_key", "backup_cipher_password")


def manifest(name: str, airflow: str, postgresql: str, secrets: Secrets) -> dict[str, object]:
    """The manifest of the cluster ``name`` with these versions.

    A Fernet key may be several with commas between them; each has its fingerprint. Raises KeyError without a digest
    key.
    """
    key = secrets["digest_key"]
    told = {
        each: fingerprint(secrets[each], key) for each in GENERATED if each in secrets.values and each not in _NOT_TOLD
    }
    keys = [each.strip() for each in secrets["fernet_key"].split(",")]
    return {
        "cluster": name,
        "airflow": airflow,
        "postgresql": postgresql,
        "fernet_keys": [fingerprint(each, key) for each in keys],
        "secrets": told,
    }


def definitions(exported: Mapping[str, Any]) -> dict[str, object]:
    """RabbitMQ's ``exported`` definitions without what may be a secret, hashes of passwords and parameters.

    Clients declare exchanges and bindings.
    """
    kept = ("rabbit_version", "vhosts", "permissions", "policies", "queues")
    users = [{"name": user["name"], "tags": user.get("tags", [])} for user in exported.get("users", [])]
    return {**{name: exported[name] for name in kept if name in exported}, "users": users}
