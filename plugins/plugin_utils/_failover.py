"""Schedulers that take turns: who logs in as what, and what speaks against it. How it works is in docs/scheduler-failover.md."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._components import FAILOVER, LEASE, TURNS, secrets_of
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._problem import Problem

# The agents' user in the metastore, which may do nothing but call the functions by which turns are taken.
AGENT = "airflow_lease"
# The functions take the login from every user whose name begins so.
PREFIX = "airflow_sched_"
# PostgreSQL's longest name.
_LONGEST = 63
_PROGRAM = Path(__file__).parents[2] / "roles/scheduler_failover/files/flightdeck_failover.py"


class Member(Protocol):
    """What is needed of a host."""

    @property
    def name(self) -> str: ...
    @property
    def groups(self) -> frozenset[str]: ...


def singleton(settings: Mapping[str, Any]) -> bool:
    """Whether one scheduler acts at a time."""
    return bool(settings["airflow_scheduler_mode"] == "singleton")


def check(hosts: Iterable[Member], settings: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with schedulers that take turns, and with who is told of it."""
    problems = []
    if singleton(settings) and not any("metastore" in host.groups for host in hosts):
        remedy = "Turns are kept by logins, which the collection manages in its own PostgreSQL only: add hosts to airflow_metastore."
        problems.append(Problem("FD180", "airflow_scheduler_mode", "singleton without airflow_metastore", "active_active", remedy))
    wanted = ("host", "from") if settings["airflow_failover_email_to"] else ()
    missing = [name for name in wanted if not settings[f"airflow_failover_email_{name}"]]
    if missing:
        names = " and ".join(f"airflow_failover_email_{name}" for name in missing)
        remedy = "Without a server and a sender nobody is told: set them, or leave all three out."
        problems.append(Problem("FD181", "airflow_failover_email_to", f"recipients without {names}", "server and sender, too", remedy))
    if settings["airflow_failover_email_user"] and not settings["airflow_failover_email_starttls"]:
        remedy = "The password would cross the network unencrypted: set it, or leave the user out."
        problems.append(Problem("FD181", "airflow_failover_email_starttls", "false, with airflow_failover_email_user", "true", remedy))
    if re.match(r"\w+://[^/?#]*@", str(settings["airflow_failover_webhook_url"])):
        remedy = "Put what proves you into the path or the query, as such services do: no login is sent."
        problems.append(Problem("FD181", "airflow_failover_webhook_url", "a URL with a login", "one without", remedy))
    return problems


def login(host: str) -> str:
    """The user of PostgreSQL that the scheduler of ``host`` logs in as; a name that it cannot be as it is gets an ending of its own."""
    plain = re.sub(r"[^a-z0-9_]", "_", host.lower())
    if plain == host and len(PREFIX + plain) <= _LONGEST:
        return PREFIX + plain
    ending = "_" + hashlib.sha256(host.encode()).hexdigest()[:8]
    return (PREFIX + plain)[: _LONGEST - len(ending)] + ending


def turns(schedulers: Iterable[Member], acts_as: str) -> dict[str, Any]:
    """What the metastore has to know."""
    return {
        "user": AGENT,
        "secret": "scheduler_lease_password",
        "login_secret": "scheduler_password",
        "acts_as": acts_as,
        "logins": [{"host": host.name, "user": login(host.name)} for host in schedulers],
    }


def secret_files(host: Member, common: Sequence[Mapping[str, Any]], agent_port: int, major: int) -> list[dict[str, Any]]:
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
