# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of what is left of a cluster when hosts leave it, for a while or for good."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import COMPONENT
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Cluster
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem

_REMOVED = "airflow_removed_host"
# How Patroni calls them, by version.
LEADS = ("leader", "master")
RUNS = ("running", "streaming")
# Without them nothing else stops.
_DISPENSABLE = frozenset(name for name, component in COMPONENT.items() if component.optional)


def check_hosts(
    names: Sequence[str], cluster: Cluster, limit: str, deployed: Mapping[str, Collection[str]]
) -> list[Problem]:
    """Whether ``names`` are hosts that a run with ``limit`` can drain; ``deployed`` are the units of Airflow that they
    have."""
    where, possible = "airflow_drain_hosts", f"hosts with a component of Airflow: {', '.join(cluster.airflow_hosts)}"
    if limit:
        remedy = "It computes what is left without them, and load balancers are elsewhere: leave --limit out."
        return [Problem(Code.FD321, where, f"--limit {limit}", "a run on all hosts", remedy)]
    unknown = [name for name in names if name not in cluster.airflow_hosts]
    if unknown or not names:
        remedy = "Give names of the inventory, with commas between them."
        return [Problem(Code.FD321, where, ", ".join(unknown) or "nothing", possible, remedy)]
    bare = [name for name in names if not deployed.get(name)]
    if bare:
        remedy = "Nothing runs there yet: deploy them by flightdeck.airflow.site, or take them out of the inventory."
        return [Problem(Code.FD321, where, f"{', '.join(bare)} without a unit of Airflow", possible, remedy)]
    return []


def check_capacity(
    leaving: Sequence[str],
    drained: Collection[str],
    status: Mapping[str, Iterable[Mapping[str, str]]],
    cluster: Cluster,
) -> list[Problem]:
    """What no other host does any more once those ``leaving`` stop.

    ``status`` maps hosts to rows of node_info; ``drained`` ones do nothing anyway.
    """
    working = {
        name: {row["component"] for row in rows if row["state"] != "failed"}
        for name, rows in status.items()
        if name not in drained
    }
    problems = []
    for name in leaving:
        for label in _labels(cluster, name):
            others = [other for other in _hosts_with(label, cluster) if other not in leaving]
            if any(label in working.get(other, ()) for other in others):
                continue
            states = [f"{other} ({_state(other, drained, status)})" for other in others]
            found = f"no other {_title(label)} that works" + (f": {', '.join(states)}" if states else "")
            remedy = "Undrain or repair another, or add one. To do without: -e airflow_confirm=" + cluster.name
            problems.append(Problem(Code.FD322, f"host {name}", found, "another one, to take over", remedy))
    return problems


def _labels(cluster: Cluster, name: str) -> Iterator[str]:
    """What the units of host ``name`` are called in reports, but for what nothing else needs."""
    airflow = cluster.nodes[name].airflow
    for unit in airflow.units if airflow else ():
        if unit.label.partition(" ")[0] not in _DISPENSABLE:
            yield unit.label


def _hosts_with(label: str, cluster: Cluster) -> list[str]:
    return [name for name in cluster.airflow_hosts if label in _labels(cluster, name)]


def _title(label: str) -> str:
    component, _space, queue = label.partition(" ")
    return COMPONENT[component].title + (f" of queue {queue}" if queue else "")


def _state(name: str, drained: Collection[str], status: Mapping[str, Iterable[Mapping[str, str]]]) -> str:
    return "drained" if name in drained else "not healthy" if name in status else "not asked"


def check_removal(leaving: Collection[str], hosts: Collection[str]) -> list[Problem]:
    """Those ``leaving`` that are not among the ``hosts`` of the cluster."""
    unknown = sorted(set(leaving) - set(hosts))
    if not unknown:
        return []
    remedy = "Leave its lines in the inventory until it is removed, and write its name as there."
    return [Problem(Code.FD325, _REMOVED, ", ".join(unknown), f"hosts of the inventory: {', '.join(hosts)}", remedy)]


def explained(problems: Sequence[Problem], leaving: Collection[str]) -> list[Problem]:
    """``problems`` of an inventory without the hosts ``leaving``, with the reason why these hosts are not counted."""
    if not leaving or not problems:
        return list(problems)
    names = ", ".join(sorted(leaving))
    remedy = (
        "Each other problem is one of the inventory without it. Put another host into its groups first, or remove as "
        "many hosts of the group at once as leave a number that is possible, with commas between them."
    )
    found = f"{names}, which the rest of the cluster needs"
    expected = "a host that the cluster can do without"
    return [Problem(Code.FD325, _REMOVED, found, expected, remedy), *problems]


@dataclass(frozen=True)
class Members:
    """Members of a tier that decides by majority, or copies of a queue, and those of them that run."""

    title: str
    names: Sequence[str]
    running: Collection[str]


def check_majority(members: Members, leaving: Sequence[str], host: str) -> list[Problem]:
    """Whether ``members`` keep a majority while ``leaving`` ones, of a ``host``, go one after the other."""
    names, running = list(members.names), set(members.running)
    problems = []
    for name in leaving:
        if name not in names:
            continue
        # Who leaves may still vote on it.
        before = len(running & set(names))
        names.remove(name)
        after = len(running & set(names))
        if 2 * before > len(names) + 1 and 2 * after > len(names):
            continue
        found = f"removing {name} leaves {after} of {len(names) + 1} running: no majority"
        expected = f"most members running without it, of {', '.join(members.names)}"
        remedy = "Start the others, see journalctl on their hosts, and run again."
        problems.append(Problem(Code.FD326, f"host {host}, {members.title}", found, expected, remedy))
    return problems


def check_queues(queues: Iterable[Mapping[str, Any]], leaving: Sequence[str], host: str) -> list[Problem]:
    """Queues that would be lost with the nodes ``leaving``, or would have no majority of copies without them.

    A queue of another type has one copy. When it is empty, its clients declare it again, as workers do with those of
    Celery's delayed messages.
    """
    problems = []
    for queue in queues:
        name = f"queue {queue['name']}"
        if queue.get("type") == "quorum":
            copies = Members(name, queue.get("members") or [], queue.get("online") or [])
            if set(copies.names) <= set(leaving):
                problems.append(_lonely(name, host))
            else:
                problems += check_majority(copies, leaving, host)
        elif queue.get("node") in leaving and queue.get("durable") and queue.get("messages"):
            problems.append(_lonely(name, host))
    return problems


def _lonely(name: str, host: str) -> Problem:
    remedy = "Consume or delete it, or declare it as a quorum queue with copies on other nodes."
    return Problem(Code.FD326, f"host {host}, {name}", "copies there alone", "copies on nodes that stay", remedy)


def check_metastore(members: Sequence[Mapping[str, Any]], leaving: Sequence[str], patroni_stays: bool) -> list[Problem]:
    """Whether the servers under Patroni, ``members`` as it lists them, can do without those of hosts ``leaving``."""
    there = [member for member in members if member["name"] in leaving]
    if not there:
        return []
    names = ", ".join(str(member["name"]) for member in there)
    if not patroni_stays:
        remedy = "Several servers do not become a single one: add others to airflow_metastore first."
        return [Problem(Code.FD326, f"host {names}, PostgreSQL", "one server left", "3 and more", remedy)]
    leader = [str(member["name"]) for member in there if member["role"] in LEADS]
    if leader:
        remedy = "Run flightdeck.airflow.switchover first."
        return [Problem(Code.FD328, f"host {leader[0]}", "the leader of the metastore", "a follower", remedy)]
    rest = [member for member in members if member["name"] not in leaving]
    follows = [member for member in rest if member["role"] not in LEADS and member["state"] in RUNS]
    if not any(member["role"] in LEADS for member in rest) or not follows:
        found = f"{len(follows)} other followers that run"
        remedy = "A write needs a second copy: start the others, see patronictl list, and run again."
        return [Problem(Code.FD326, f"host {names}, PostgreSQL", found, "a leader and a follower", remedy)]
    return []
