"""The secrets of a cluster: made once, versioned by keyed fingerprints, turned into file contents."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils import _metastore
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
    "metastore_owner_password": _password,
    "metastore_replication_password": _password,
    "metastore_rewind_password": _password,
    "result_backend_password": _password,
    "broker_password": _password,
    "pgbouncer_password": _password,
    # From the first follows the password of each host's scheduler.
    "scheduler_password": _password,
    "scheduler_lease_password": _password,
    "rabbitmq_admin_password": _password,
    # Debian's package replaces cookies of exactly 20 capital letters; this one is 64 characters.
    "rabbitmq_cookie": lambda: secrets.token_hex(32),
    "haproxy_stats_password": _password,
    "fernet_key": _fernet_key,
    "api_secret_key": _signing_key,
    "jwt_secret": _signing_key,
    "digest_key": _password,
}

# Variables airflow_<name> that only the user can know. Nothing is made in their place.
GIVEN = ("broker_url", "broker_ca", "sqs_secret_access_key", *_metastore.GIVEN)
# Certificates among them are no secrets.
PUBLIC = {"broker_ca", "metastore_ca"}

_FLAGS = "LOGIN,NOSUPERUSER,NOCREATEDB,NOCREATEROLE"

# Passwords of users that exist twice and take turns, so that a rotation has the next one ready before the last one goes.
PAIRED = ("metastore_password", "result_backend_password", "broker_password")


def in_force(values: Mapping[str, str], rotation: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` as the hosts get them in the course of a rotation.

    ``rotation`` may have ``second_users``, the passwords of PAIRED that belong to the second user now, and ``next_fernet_key``, which
    decrypts already and encrypts later.
    """
    keys = [values.get("fernet_key", ""), rotation.get("next_fernet_key", "")]
    return {**values, "fernet_key": ",".join(filter(None, keys)), "second_users": list(rotation.get("second_users", ()))}


def second(user: str) -> str:
    """The other user of a pair."""
    return f"{user}_b"


def login(user: str, secret: str, values: Mapping[str, Any]) -> str:
    """Which of the pair of ``user`` and its second has the password ``secret`` now."""
    return second(user) if secret in values.get("second_users", ()) else user


def database_users(databases: Iterable[Mapping[str, Any]], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The users of ``databases`` (the model's) as postgresql_user takes them.

    The second of a pair acts as the first, so that everything belongs to the first and what it may the second may, too. The first
    stays without a password of its own, and as it is, while the second is in force.
    """
    users: list[dict[str, Any]] = []
    for database in databases:
        if "owner" in database:
            users.append({"name": database["owner"], "password": values[database["owner_secret"]], "flags": _FLAGS})
        first, password = database["user"], values[database["secret"]]
        current = login(first, database["secret"], values)
        if current == first:
            users.append({"name": first, "password": password, "flags": _FLAGS})
        else:
            users.append({"name": first, "flags": _FLAGS.removeprefix("LOGIN,")})
            users.append({"name": current, "password": password, "flags": _FLAGS, "acts_as": first})
    return users


def of_login(secret: str, user: str) -> str:
    """The password of ``user`` that follows from a ``secret`` of all: who has one of them knows neither the secret nor another."""
    return hmac.new(secret.encode(), user.encode(), hashlib.sha256).hexdigest()


def turn_users(turns: Mapping[str, Any], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The users of agents and of schedulers that take ``turns`` (the model's) as postgresql_user takes them.

    Whether a scheduler's user can log in is not said: that is decided by whose turn it is.
    """
    if not turns:
        return []
    own = {"flags": _FLAGS.removeprefix("LOGIN,"), "acts_as": turns["acts_as"]}
    names = [login["user"] for login in turns["logins"]]
    schedulers = [{"name": name, "password": of_login(values[turns["login_secret"]], name), **own} for name in names]
    return [{"name": turns["user"], "password": values[turns["secret"]], "flags": _FLAGS}, *schedulers]


def decrypts(token: str, keys: str) -> bool:
    """Whether one of the Fernet ``keys``, with commas between them, made ``token``: its last 32 bytes prove who did."""
    try:
        sealed = base64.urlsafe_b64decode(token)
    except ValueError:
        return False
    proofs = (hmac.new(base64.urlsafe_b64decode(key)[:16], sealed[:-32], hashlib.sha256).digest() for key in keys.split(","))
    return any(hmac.compare_digest(proof, sealed[-32:]) for proof in proofs)


def resting_users(accounts: Iterable[Mapping[str, Any]], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of each pair of users the one that is not in force; ``accounts`` have ``user`` and ``secret``."""
    pairs = [(account["user"], login(account["user"], account["secret"], values)) for account in accounts]
    return [{"name": second(user) if current == user else user, "first": current != user} for user, current in pairs]


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


def content(description: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """A secret as a component reads it: the value, a URL with it, or a given URL as a driver takes it. ``description`` is the model's."""
    value = str(values[description["secret"]]) if "secret" in description else ""
    if "use" in description:
        return _metastore.driver_url(value, description["use"], description["authority"])
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
