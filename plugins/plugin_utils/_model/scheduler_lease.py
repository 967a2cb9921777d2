# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Singleton mode of the schedulers: accounts in the metastore and secret files.

How it works is in docs/scheduler-failover.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import (
    LEASE_ACCOUNT,
    LOGIN_PREFIX,
    SCHEDULER_LEASE,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import alternate_user
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.airflow import replaced_files
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import (
    BuiltUrl,
    ComponentMode,
    Document,
    ExtraUser,
    ModeLogin,
    SecretFile,
    secret_name,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings

DATABASE = "airflow"
# The common user of all components, as which each host's user acts.
COMMON_USER = "airflow"
# PostgreSQL's longest name.
_LONGEST = 63
# Secrets of the agent's settings by their keys.
_AGENT_SECRETS = {
    "email_password": secret_name("failover_email_password"),
    "webhook_url": secret_name("failover_webhook_url"),
}


def login(host: str) -> str:
    """The user of PostgreSQL of ``host``'s scheduler: the prefix and its name, with a digest where that is no plain
    or short name."""
    plain = re.sub(r"[^a-z0-9_]", "_", host.lower())
    if plain == host and len(LOGIN_PREFIX + plain) <= _LONGEST:
        return LOGIN_PREFIX + plain
    ending = "_" + hashlib.sha256(host.encode()).hexdigest()[:8]
    return (LOGIN_PREFIX + plain)[: _LONGEST - len(ending)] + ending


def share(hosts: Iterable[Host], *, enabled: bool) -> ComponentMode:
    """What the role scheduler_lease has to know; ``hosts`` may hold the lease when it is ``enabled``."""
    return ComponentMode(
        name=SCHEDULER_LEASE.name,
        enabled=enabled,
        setting=SCHEDULER_LEASE.setting,
        value=SCHEDULER_LEASE.value,
        unit=SCHEDULER_LEASE.unit,
        database=DATABASE,
        user=LEASE_ACCOUNT,
        login_prefix=LOGIN_PREFIX,
        logins=tuple(ModeLogin(host=host.name, user=login(host.name)) for host in hosts) if enabled else (),
        common_users=(COMMON_USER, alternate_user(COMMON_USER)),
    )


def users(hosts: Iterable[Host]) -> tuple[ExtraUser, ...]:
    """The extra users of PostgreSQL: the agents', and one of each of ``hosts``, for while it holds the lease."""
    agent = ExtraUser(user=LEASE_ACCOUNT, database=DATABASE, secret=secret_name("scheduler_lease_password"))
    own = ExtraUser(
        user="",
        database=DATABASE,
        secret=secret_name("scheduler_password"),
        derived=True,
        login=False,
        acts_as=COMMON_USER,
    )
    return (agent, *(replace(own, user=login(host.name)) for host in hosts))


def secret_files(host: Host, common: Iterable[BuiltUrl], settings: Settings) -> tuple[SecretFile, ...]:
    """The secret files of a scheduler's ``host``: its own logins in the place of the ``common`` ones, and the
    agent's."""
    by_name = {url.file: url for url in common}
    conn, document = SCHEDULER_LEASE.secret_files
    own = (
        replace(by_name[name], file=file, user=login(host.name), secret=secret_name("scheduler_password"), derived=True)
        for name, file in replaced_files(SCHEDULER_LEASE, settings.major).items()
    )
    agent = replace(
        by_name["sql_alchemy_conn"],
        file=conn,
        scheme="postgresql",
        user=LEASE_ACCOUNT,
        secret=secret_name("scheduler_lease_password"),
        # Like a migration, the agent goes past PgBouncer.
        port=settings.ports["airflow_haproxy_metastore_port"],
    )
    return (*own, agent, Document(file=document, content=_agent_settings(host, settings), secrets=_AGENT_SECRETS))


def _agent_settings(host: Host, settings: Settings) -> dict[str, object]:
    """What the agent reads besides its secrets: its host, Airflow's program, and where alerts go."""
    return {
        "cluster": settings.cluster_name,
        "host": host.name,
        "airflow": f"{settings.root}/current/bin/airflow",
        "email": {
            "to": list(settings.failover_email_to),
            "from": settings.failover_email_from,
            "host": settings.failover_email_host,
            "port": settings.failover_email_port,
            "starttls": settings.failover_email_starttls,
            "user": settings.failover_email_user,
        },
    }
