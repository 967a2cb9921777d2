# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What site.yml would change: results of a run in check mode, by host, and the interruptions to expect."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import COMPONENT, SERVICES, Service

# Of the plan for programs. A new key is no other format.
FORMAT = 1
# The exit code of plan.yml when there is something to do. Ansible's own codes end at 5, and begin again at 99.
EXIT_CODE = 10
CONTROLLER = "controller"
# Actions that work on the controller, whichever host their task names.
_ON_CONTROLLER = frozenset(
    f"flightdeck.airflow.{name}" for name in ("cluster_certificates", "cluster_model", "cluster_secrets", "dags_git")
)
# What a restart of the only host of a service costs, and what one of several does, one host after the other.
INTERRUPTIONS: Mapping[str, tuple[str, str]] = {
    "etcd": ("Patroni has no lock for seconds; the leader stays", "none: one member at a time"),
    "backup": ("backups and the archive wait; PostgreSQL goes on", "backups and the archive wait; PostgreSQL goes on"),
    "metastore": (
        "sessions are cut; all of Airflow waits until the server is back",
        "sessions are cut when the leader restarts; Airflow waits for seconds",
    ),
    "rabbitmq": ("tasks wait until the broker is back", "none: one node at a time, when no queue loses its quorum"),
    "redis": ("tasks wait until the broker is back", "tasks wait until the broker is back"),
    "haproxy": (
        "connections through it are cut; users, metastore and broker are unavailable for seconds",
        "connections through it are cut; clients come back by the other one",
    ),
    "pgbouncer": ("sessions are cut; Airflow connects again", "sessions are cut; Airflow connects again"),
    "keepalived": ("the virtual IP is unavailable for seconds", "the virtual IP moves"),
    "metrics": ("none: metrics are missing for seconds", "none: metrics are missing for seconds"),
    "journal": ("none: lines of the journal come later", "none: lines of the journal come later"),
    "journal_receiver": ("none: lines of journals come later", "none: lines of journals come later"),
    "monitoring": ("none: metrics and alerts pause for seconds", "none: metrics and alerts pause for seconds"),
    "kerberos": ("none: the ticket stays", "none: the ticket stays"),
    "webserver": (
        "UI and API are unavailable until it is healthy, about 30 s; running tasks try again",
        "none: one host after the other",
    ),
    "scheduler": ("no task starts until it is healthy, about 30 s", "none: one host after the other"),
    "dag_processor": ("changed DAGs are read later", "changed DAGs are read later"),
    "triggerer": ("deferred tasks wait until it is healthy", "none: another one takes the deferred tasks"),
    "worker": (
        "its tasks finish first, {drain} s at most; new ones wait",
        "its tasks finish first, {drain} s at most; other workers take new ones",
    ),
    "flower": ("Flower is unavailable for seconds", "none: one host after the other"),
}
# A reload, and a first start, interrupt nothing.
_INTERRUPTING = frozenset({"restart", "stop"})


@dataclass(frozen=True)
class Change:
    """A task that would change something on a host: its name, and files, actions and units that its module named."""

    host: str
    task: str
    details: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()


@dataclass
class Collected:
    """What a run in check mode reported so far, in order; by host, why it failed."""

    changes: list[Change] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, host: str, task: str, action: str, result: Mapping[str, Any]) -> None:
        """Add the ``result`` of a task of ``host``; one of a loop has results of its own."""
        if not result.get("changed"):
            return
        parts = [part for part in result.get("results") or [result] if isinstance(part, Mapping)]
        changed = [part for part in parts if part.get("changed")] or [result]
        place = CONTROLLER if action in _ON_CONTROLLER else host
        details = dict.fromkeys(detail for part in changed for detail in _details(part))
        actions = dict.fromkeys(each for part in changed for each in _actions(part))
        self.changes.append(Change(place, task, tuple(details), tuple(actions)))


# Filled by the callback plan in the process of Ansible itself, read by the action plan_report in a fork of it.
COLLECTED = Collected()


def _details(result: Mapping[str, Any]) -> Iterable[str]:
    """Paths and names in ``result``, never contents: these may hold what is secret to others."""
    paths = result.get("changed_paths") or []
    diffs = result.get("diff") or []
    for diff in diffs if isinstance(diffs, list) else [diffs]:
        header = diff.get("after_header") if isinstance(diff, Mapping) else None
        paths = [*paths, *([str(header).removesuffix(" (content)")] if header else [])]
    yield from (str(path) for path in paths if str(path).startswith("/"))
    for key in ("path", "dest", "name"):
        if isinstance(result.get(key), str) and not paths:
            yield str(result[key])


def _actions(result: Mapping[str, Any]) -> Iterable[str]:
    """What would be done to units, as the module service says it: also what a handler does later."""
    yield from (str(action) for action in result.get("actions") or [] if action != "daemon-reload")
    yield from (f"restart {unit}" for unit in result.get("stale") or [])


def service_of(unit: str) -> Service | None:
    """The service of the catalogue that runs as ``unit``, with its suffix."""
    name = unit.removesuffix(".service")
    for component in COMPONENT.values():
        if any(fnmatch.fnmatch(name, pattern) for pattern in component.unit.values()):
            return component
    backing = (service for service in SERVICES if service.name not in COMPONENT)
    return next((service for service in backing if any(fnmatch.fnmatch(unit, each) for each in service.units)), None)


def interruption(verb: str, service: Service | None, hosts: int, drain_seconds: int) -> str:
    """What ``verb`` on a unit of ``service``, which ``hosts`` run, interrupts; empty for nothing that is known."""
    if verb not in _INTERRUPTING or service is None:
        return ""
    alone, several = INTERRUPTIONS[service.name]
    return (several if hosts > 1 else alone).format(drain=drain_seconds)


def document(cluster: Mapping[str, Any], collected: Collected, hosts: Sequence[str], *, now: str) -> dict[str, Any]:
    """The plan for programs.

    ``hosts`` are those of the run; ``now`` is the time as text.
    """
    numbers = {group: len(members) for group, members in cluster["hosts_of"].items()}
    found: dict[str, dict[str, list[Any]]] = {}
    for change in collected.changes:
        entry = found.setdefault(change.host, {"changes": [], "actions": []})
        entry["changes"].append({"task": change.task, "details": list(change.details)})
        for action in change.actions:
            verb, _space, unit = action.partition(" ")
            service = service_of(unit)
            group = (service.host_group or service.name) if service else ""
            text = interruption(verb, service, numbers.get(group, 1), int(cluster["drain_timeout_seconds"]))
            row = {"action": verb, "unit": unit, "service": service.name if service else "", "interruption": text}
            if row not in entry["actions"]:
                entry["actions"].append(row)
    return {
        "format": FORMAT,
        "cluster": cluster["name"],
        "time": now,
        "complete": not collected.failed,
        "hosts_not_asked": [host for host in cluster["nodes"] if host not in hosts],
        "failed": dict(collected.failed),
        "changes": sum(len(entry["changes"]) for entry in found.values()),
        "restarts": sum(row["action"] == "restart" for entry in found.values() for row in entry["actions"]),
        "hosts": {host: found[host] for host in [*cluster["nodes"], CONTROLLER] if host in found},
    }


def lines(plan: Mapping[str, Any]) -> list[str]:
    """The plan for people."""
    name, hosts = plan["cluster"], plan["hosts"]
    said = [f"plan of cluster {name}: " + ("nothing to do" if not hosts else _summary(plan))]
    for host, entry in hosts.items():
        said += ["", host]
        for change in entry["changes"]:
            detail = ", ".join(change["details"])
            said.append(f"  change   {change['task']}{f': {detail}' if detail else ''}")
        for row in entry["actions"]:
            text = f"; interruption: {row['interruption']}" if row["interruption"] else ""
            said.append(f"  {row['action']:<8} {row['unit']}{text}")
    said += [f"{host}: not planned: {reason}" for host, reason in plan["failed"].items()]
    if plan["hosts_not_asked"]:
        said.append(f"not asked: {', '.join(plan['hosts_not_asked'])}")
    return said


def _summary(plan: Mapping[str, Any]) -> str:
    where = [host for host in plan["hosts"] if host != CONTROLLER]
    return (
        f"{plan['changes']} changes on {len(where)} host{'' if len(where) == 1 else 's'}, "
        f"{plan['restarts']} restart{'' if plan['restarts'] == 1 else 's'}"
    )
