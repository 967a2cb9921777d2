"""Singleton mode of the schedulers: accounts in the metastore and secret files. How it works is in docs/scheduler-failover.md."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import LEASE_ACCOUNT, LOGIN_PREFIX, SCHEDULER_LEASE
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import alternate_user
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.airflow import replaced_files
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host

DATABASE = "airflow"
# The common user of all components, as which each host's user acts.
COMMON_USER = "airflow"
# PostgreSQL's longest name.
_LONGEST = 63
# Secrets of the agent's settings by their keys.
_AGENT_SECRETS = {"email_password": "failover_email_password", "webhook_url": "failover_webhook_url"}


def login(host: str) -> str:
    """The user of PostgreSQL of ``host``'s scheduler: the prefix and its name, with a digest where that is no plain or short name."""
    plain = re.sub(r"[^a-z0-9_]", "_", host.lower())
    if plain == host and len(LOGIN_PREFIX + plain) <= _LONGEST:
        return LOGIN_PREFIX + plain
    ending = "_" + hashlib.sha256(host.encode()).hexdigest()[:8]
    return (LOGIN_PREFIX + plain)[: _LONGEST - len(ending)] + ending


def share(schedulers: Iterable[Host], *, enabled: bool) -> dict[str, Any]:
    """What the role scheduler_lease has to know; ``schedulers`` are the hosts that may hold the lease when it is ``enabled``."""
    return {
        "enabled": enabled,
        "unit": SCHEDULER_LEASE.unit,
        "database": DATABASE,
        "user": LEASE_ACCOUNT,
        "login_prefix": LOGIN_PREFIX,
        "logins": [{"host": host.name, "user": login(host.name)} for host in schedulers] if enabled else [],
        # Who schedulers log in as without the mode, at some point of a rotation.
        "common_users": [COMMON_USER, alternate_user(COMMON_USER)],
    }


def users(schedulers: Iterable[Host]) -> list[dict[str, Any]]:
    """The extra users of PostgreSQL: the agents', and one of each host's scheduler, which may log in while it holds the lease."""
    own = {"secret": "scheduler_password", "derived": True, "login": False, "acts_as": COMMON_USER}
    agent = {"secret": "scheduler_lease_password", "derived": False, "login": True, "acts_as": ""}
    return [
        {"user": LEASE_ACCOUNT, "database": DATABASE, **agent},
        *({"user": login(host.name), "database": DATABASE, **own} for host in schedulers),
    ]


def secret_files(host: Host, common: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], major: int) -> list[dict[str, Any]]:
    """Descriptions of the secret files of a scheduler host: its own logins in the place of the ``common`` ones, and the agent's."""
    own = {"user": login(host.name), "secret": "scheduler_password", "derived": True}
    by_name = {description["file"]: description for description in common}
    conn, document = SCHEDULER_LEASE.secret_files
    # Like a migration, the agent goes past PgBouncer.
    port = settings["airflow_haproxy_metastore_port"]
    agent = {"file": conn, "scheme": "postgresql", "user": LEASE_ACCOUNT, "secret": "scheduler_lease_password", "port": port}
    return [
        *({**by_name[name], **own, "file": file} for name, file in replaced_files(SCHEDULER_LEASE, major).items()),
        {**by_name["sql_alchemy_conn"], **agent},
        {"file": document, "document": _agent_settings(host, settings), "secrets": _AGENT_SECRETS},
    ]


def _agent_settings(host: Host, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the agent reads besides its secrets: its host, Airflow's program, and where alerts go."""
    email = {name: settings[f"airflow_failover_email_{name}"] for name in ("to", "from", "host", "port", "starttls", "user")}
    return {
        "cluster": settings["airflow_cluster_name"],
        "host": host.name,
        "airflow": f"{settings['airflow_root']}/current/bin/airflow",
        "email": email,
    }
