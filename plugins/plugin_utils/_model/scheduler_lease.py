"""Singleton mode of the schedulers: accounts and secret files. How it works is in docs/scheduler-failover.md."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import FAILOVER, LEASE, TURNS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.airflow import secrets_of
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host

# The agents' user in the metastore, which may do nothing but call the functions by which turns are taken.
AGENT = "airflow_lease"
# The functions take the login from every user whose name begins so.
PREFIX = "airflow_sched_"
# PostgreSQL's longest name.
_LONGEST = 63
_PROGRAM = Path(__file__).parents[3] / "roles/scheduler_failover/files/flightdeck_failover.py"


def singleton(settings: Mapping[str, Any]) -> bool:
    """Whether one scheduler acts at a time."""
    return bool(settings["airflow_scheduler_mode"] == "singleton")


def login(host: str) -> str:
    """The user of PostgreSQL that the scheduler of ``host`` logs in as; a name that it cannot be as it is gets an ending of its own."""
    plain = re.sub(r"[^a-z0-9_]", "_", host.lower())
    if plain == host and len(PREFIX + plain) <= _LONGEST:
        return PREFIX + plain
    ending = "_" + hashlib.sha256(host.encode()).hexdigest()[:8]
    return (PREFIX + plain)[: _LONGEST - len(ending)] + ending


def turns(schedulers: Iterable[Host], acts_as: str) -> dict[str, Any]:
    """What the metastore has to know."""
    return {
        "user": AGENT,
        "secret": "scheduler_lease_password",
        "login_secret": "scheduler_password",
        "acts_as": acts_as,
        "logins": [{"host": host.name, "user": login(host.name)} for host in schedulers],
    }


def secret_files(host: Host, common: Sequence[Mapping[str, Any]], agent_port: int, major: int) -> list[dict[str, Any]]:
    """Descriptions of the secret files of a scheduler host: its own logins in the place of the ``common`` ones, and the agent's."""
    own = {"user": login(host.name), "secret": "scheduler_password", "of_login": True}
    by_name = {description["file"]: description for description in common}
    # Like a migration, the agent goes past PgBouncer.
    agent = {"file": LEASE, "scheme": "postgresql", "user": AGENT, "secret": "scheduler_lease_password", "port": agent_port}
    return [
        *({**by_name[name], **own, "file": TURNS[name]} for name in secrets_of("scheduler", major) if name in TURNS),
        {**by_name["sql_alchemy_conn"], **agent},
        {"file": FAILOVER, "secret": FAILOVER},
    ]


@functools.cache
def program() -> str:
    """Digest of the agent's program: a process of another one is old."""
    return hashlib.sha256(_PROGRAM.read_bytes()).hexdigest()[:12]
