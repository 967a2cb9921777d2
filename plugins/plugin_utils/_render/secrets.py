# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contents of secret files and certificates."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import CA, SECRETS_DIR, SERVER
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import metastore
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import Secrets, login, of_login
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import (
    BuiltUrl,
    Document,
    GivenUrl,
    PlainValue,
    SecretFile,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.urls import build_url
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render.digests import fingerprint


def with_certificates(values: Mapping[str, str], certificates: Mapping[str, Any], host: str) -> dict[str, str]:
    """``values`` and, under the names of their files, the CA and the certificate of ``host``; a mere client has
    none."""
    own = certificates.get("hosts", {}).get(host, {})
    return {
        **values,
        CA: certificates.get("ca", ""),
        **dict(zip(SERVER, (own.get("certificate", ""), own.get("key", "")), strict=True)),
    }


def content(file: SecretFile, secrets: Secrets) -> str:
    """Content of a secret ``file``. No trailing newline: Airflow uses the output of ``*_cmd`` as it is.

    Raises KeyError for a missing secret.
    """
    match file:
        case PlainValue():
            return secrets[file.secret]
        case Document():
            # Without a value the key is there and empty.
            given = {key: secrets.values.get(name, "") for key, name in file.secrets.items()}
            return json.dumps({**file.content, **given}, sort_keys=True)
        case GivenUrl():
            return metastore.driver_url(secrets[file.secret], file.use, file.ca_file)
        case BuiltUrl():
            password = secrets[file.secret] if file.secret else ""
            return build_url(
                file.scheme,
                file.host,
                file.port,
                user=login(file.user, file.secret, secrets),
                password=of_login(password, file.user) if file.derived else password,
                path=file.path,
                query=file.query,
            )


def secret_contents(files: Iterable[SecretFile], secrets: Secrets) -> dict[str, str]:
    """Content of each of the ``files`` by name. Raises KeyError for a missing secret."""
    return {file.file: content(file, secrets) for file in files}


def secret_files(files: Iterable[SecretFile], secrets: Secrets, group: str) -> list[dict[str, str]]:
    """The secret ``files`` as the module ``config_files`` takes them, readable by root and ``group`` only."""
    contents = secret_contents(files, secrets)
    return [
        {"path": f"{SECRETS_DIR}/{name}", "content": content, "group": group, "mode": "0640"}
        for name, content in contents.items()
    ]


def secret_versions(files: Iterable[SecretFile], secrets: Secrets) -> dict[str, str]:
    """Fingerprint of the content of each of the ``files`` by name."""
    return {
        name: fingerprint(content, secrets["digest_key"]) for name, content in secret_contents(files, secrets).items()
    }


def connection_files(database: GivenUrl, secrets: Secrets, directory: str, user: str) -> list[dict[str, str]]:
    """What libpq needs to connect to an external ``database``, as the module ``config_files`` takes it.

    Only ``user`` reads it. Raises KeyError for a missing secret, and ValueError for a URL with several lines.
    """
    url = secrets[database.secret]
    contents = {
        "pg_service.conf": metastore.service_file(url, database.ca_file),
        "pgpass": metastore.password_file(url),
    }
    return [
        {"path": f"{directory}/{name}", "content": content, "owner": user, "group": user, "mode": "0600"}
        for name, content in contents.items()
    ]


def certificate_files(certificates: Mapping[str, Any], host: str, directory: str, user: str) -> list[dict[str, str]]:
    """CA certificate, certificate and key of ``host`` as the module ``config_files`` takes them, for a service that
    runs as ``user``."""
    if not certificates:
        return []
    values = with_certificates({}, certificates, host)
    return [
        {
            "path": f"{directory}/{name}",
            "content": content,
            "owner": user,
            "group": user,
            "mode": "0600" if name == SERVER[1] else "0644",
        }
        for name, content in values.items()
    ]
