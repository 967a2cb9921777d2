"""Contents of secret files and certificates."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import AUTHORITY, SECRETS_DIR, SERVER
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import metastore
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import login, of_login
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.urls import build_url
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render.digests import fingerprint


def decrypts(token: str, keys: str) -> bool:
    """Whether one of the Fernet ``keys``, with commas between them, made ``token``: its last 32 bytes prove who did."""
    try:
        sealed = base64.urlsafe_b64decode(token)
    except ValueError:
        return False
    proofs = (hmac.new(base64.urlsafe_b64decode(key)[:16], sealed[:-32], hashlib.sha256).digest() for key in keys.split(","))
    return any(hmac.compare_digest(proof, sealed[-32:]) for proof in proofs)


def with_certificates(values: Mapping[str, str], certificates: Mapping[str, Any], host: str) -> dict[str, str]:
    """``values`` and, under the names of their files, the authority and the certificate of ``host``; a mere client has none."""
    own = certificates.get("hosts", {}).get(host, {})
    return {
        **values,
        AUTHORITY: certificates.get("authority", ""),
        **dict(zip(SERVER, (own.get("certificate", ""), own.get("key", "")), strict=True)),
    }


def content(description: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """A secret as a component reads it: the value, a URL with it, or a given URL as a driver takes it. ``description`` is the model's."""
    value = str(values[description["secret"]]) if "secret" in description else ""
    if "use" in description:
        return metastore.driver_url(value, description["use"], description["authority"])
    if "scheme" not in description:
        return value
    if description.get("of_login"):
        value = of_login(value, description["user"])
    return build_url(
        description["scheme"],
        description["host"],
        int(description["port"]),
        user=login(description["user"], description.get("secret", ""), values),
        password=value,
        path=description["path"],
        query=description["query"],
    )


def secret_contents(descriptions: Iterable[Mapping[str, Any]], values: Mapping[str, str]) -> dict[str, str]:
    """Content of every secret file. No trailing newline: Airflow uses the output of ``*_cmd`` as it is."""
    return {description["file"]: content(description, values) for description in descriptions}


def secret_files(descriptions: Iterable[Mapping[str, Any]], values: Mapping[str, str], group: str) -> list[dict[str, str]]:
    """The secret files as the module ``config_files`` takes them, readable by root and ``group`` only."""
    contents = secret_contents(descriptions, values)
    return [{"path": f"{SECRETS_DIR}/{name}", "content": content, "group": group, "mode": "0640"} for name, content in contents.items()]


def secret_versions(descriptions: Iterable[Mapping[str, Any]], values: Mapping[str, str]) -> dict[str, str]:
    """Fingerprint of every secret file's content."""
    return {name: fingerprint(content, values["digest_key"]) for name, content in secret_contents(descriptions, values).items()}


def certificate_files(certificates: Mapping[str, Any], host: str, directory: str, user: str) -> list[dict[str, str]]:
    """Authority, certificate and key of ``host`` as the module ``config_files`` takes them, for a service that runs as ``user``."""
    if not certificates:
        return []
    values = with_certificates({}, certificates, host)
    return [
        {"path": f"{directory}/{name}", "content": content, "owner": user, "group": user, "mode": "0600" if name == SERVER[1] else "0644"}
        for name, content in values.items()
    ]
