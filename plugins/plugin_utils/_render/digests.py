# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Digests and keyed fingerprints: what a process read, which release this is, which cluster a host belongs to."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import BROKER_CA, LOGIN_CA, METASTORE_CA
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import (
    COMPONENT,
    LOGIN_SECRETS,
    RESTRICTED_SECTIONS,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.airflow import secret_sources


def digest(parts: Any) -> str:
    """Twelve hexadecimal digits that change when anything in ``parts`` changes."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:12]


def component_digest(
    component: str,
    major: int,
    config: Mapping[str, Mapping[str, Any]],
    secret_versions: Mapping[str, str],
    *others: Any,
    users: Iterable[str] = (),
) -> str:
    """Digest of exactly what a process of ``component`` read at its start.

    ``users`` are the secret files of the user's that it reads. ``secret_versions`` maps secret files to keyed
    fingerprints, never to anything derived from the value alone.
    """
    sections = {
        name: options
        for name, options in config.items()
        if name not in RESTRICTED_SECTIONS or name in COMPONENT[component].sections
    }
    optional = (BROKER_CA, METASTORE_CA, LOGIN_CA, *LOGIN_SECRETS)
    own = {
        name: source
        for name, source in secret_sources(component, major, secret_versions, users).items()
        if source in secret_versions or name not in optional
    }
    secrets = {name: secret_versions.get(source, "") for name, source in own.items()}
    return digest([component, sections, secrets, others])


# To be raised when the same inputs make other releases than before. 2: with an SBOM. 3: with modes that no umask
# changes.
_FORMAT = "3"


def release_id(version: str, python: str, *inputs: str | Iterable[str]) -> str:
    """``<version>-<digest>-py<minor>``, where the digest changes with every one of ``inputs`` (the lock's text,
    extra packages)."""
    parts = [text if isinstance(text, str) else "\n".join(text) for text in inputs]
    digest = hashlib.sha256("\0".join([_FORMAT, python, *parts]).encode()).hexdigest()[:8]
    return f"{version}-{digest}-py{'.'.join(python.split('.')[:2])}"


def fingerprint(value: str, key: str) -> str:
    """A version of ``value`` that says nothing about it without ``key``: units and digests are readable by
    everybody."""
    return hmac.new(key.encode(), value.encode(), hashlib.sha256).hexdigest()[:12]


def cluster_mark(name: str, key: str) -> str:
    """What stands in /etc/airflow/cluster: the name for people, and an identity that survives renaming and follows from
    no address.

    Clusters often have the same name; ``key`` is the digest key, which every cluster has of its own.
    """
    return f"{name} {fingerprint('cluster', key)}\n"
