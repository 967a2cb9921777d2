"""The secrets of a cluster: made once, versioned by keyed fingerprints, turned into file contents."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._components import AUTHORITY, SERVER
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._urls import build_url


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def _password() -> str:
    return secrets.token_urlsafe(24)


def _signing_key() -> str:
    # HS512 wants at least 64 bytes.
    return secrets.token_urlsafe(64)


SECRETS_DIR = "/etc/airflow/secrets"

# Name (a variable airflow_<name> overrides it) and how it is made.
GENERATORS: dict[str, Callable[[], str]] = {
    "admin_password": _password,
    "metastore_password": _password,
    "result_backend_password": _password,
    "broker_password": _password,
    "rabbitmq_admin_password": _password,
    # Debian's package replaces cookies of exactly 20 capital letters; this one is 64 characters.
    "rabbitmq_cookie": lambda: secrets.token_hex(32),
    "haproxy_stats_password": _password,
    "fernet_key": _fernet_key,
    "api_secret_key": _signing_key,
    "jwt_secret": _signing_key,
    "digest_key": _password,
}


def missing(given: Mapping[str, str]) -> dict[str, str]:
    """New values for the secrets that ``given`` lacks."""
    return {name: make() for name, make in GENERATORS.items() if not given.get(name)}


def fingerprint(value: str, key: str) -> str:
    """A version of ``value`` that says nothing about it without ``key``: units and digests are readable by everybody."""
    return hmac.new(key.encode(), value.encode(), hashlib.sha256).hexdigest()[:12]


def with_certificates(values: Mapping[str, str], certificates: Mapping[str, Any], host: str) -> dict[str, str]:
    """``values`` and, under the names of their files, the authority and the certificate of ``host``; a mere client has none."""
    own = certificates.get("hosts", {}).get(host, {})
    return {
        **values,
        AUTHORITY: certificates.get("authority", ""),
        **dict(zip(SERVER, (own.get("certificate", ""), own.get("key", "")), strict=True)),
    }


def _content(description: Mapping[str, Any], values: Mapping[str, str]) -> str:
    value = str(values[description["secret"]])
    if "scheme" not in description:
        return value
    return build_url(
        description["scheme"],
        description["host"],
        int(description["port"]),
        user=description["user"],
        password=value,
        path=description["path"],
        query=description["query"],
    )


def secret_contents(descriptions: Iterable[Mapping[str, Any]], values: Mapping[str, str]) -> dict[str, str]:
    """Content of every secret file. No trailing newline: Airflow uses the output of ``*_cmd`` as it is."""
    return {description["file"]: _content(description, values) for description in descriptions}


def secret_files(descriptions: Iterable[Mapping[str, Any]], values: Mapping[str, str], group: str) -> list[dict[str, str]]:
    """The secret files as the module ``files`` takes them, readable by root and ``group`` only."""
    contents = secret_contents(descriptions, values)
    return [{"path": f"{SECRETS_DIR}/{name}", "content": content, "group": group, "mode": "0640"} for name, content in contents.items()]


def secret_versions(descriptions: Iterable[Mapping[str, Any]], values: Mapping[str, str]) -> dict[str, str]:
    """Fingerprint of every secret file's content."""
    return {name: fingerprint(content, values["digest_key"]) for name, content in secret_contents(descriptions, values).items()}


def certificate_files(certificates: Mapping[str, Any], host: str, directory: str, user: str) -> list[dict[str, str]]:
    """Authority, certificate and key of ``host`` as the module ``files`` takes them, for a service that runs as ``user``."""
    if not certificates:
        return []
    values = with_certificates({}, certificates, host)
    return [
        {"path": f"{directory}/{name}", "content": content, "owner": user, "group": user, "mode": "0600" if name == SERVER[1] else "0644"}
        for name, content in values.items()
    ]
