# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of updates of Debian's packages, before the first host gets any."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import BY_NAME
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.upgrade_paths import UPGRADES, Upgrades
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Cluster
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.updates import (
    HostUpdates,
    next_series,
    numbers,
    series,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.drain import RUNS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem


@dataclass(frozen=True)
class Members:
    """Hosts of a tier that decides by majority: those that run, as one of them sees it, and all."""

    running: Collection[str]
    hosts: Sequence[str]


def tiers(
    cluster: Cluster, etcd: Collection[str], rabbitmq: Collection[str], servers: Iterable[Mapping[str, Any]]
) -> dict[str, Members]:
    """The tiers with several members.

    ``etcd`` and ``rabbitmq`` are names of members that run, ``servers`` those of the metastore as Patroni lists them.
    """
    states = {str(server["name"]): str(server["state"]) for server in servers}
    running = {
        "etcd": [name for name, node in cluster.nodes.items() if node.etcd and node.etcd.name in etcd],
        "rabbitmq": [
            name for name, node in cluster.nodes.items() if node.rabbitmq and node.rabbitmq.nodename in rabbitmq
        ],
        "metastore": [name for name, state in states.items() if state in RUNS],
    }
    hosts = {tier: [host.name for host in cluster.hosts_of[tier]] for tier in running}
    return {tier: Members(running[tier], names) for tier, names in hosts.items() if len(names) > 1}


def check_hosts(names: Iterable[str], cluster: Cluster) -> list[Problem]:
    """Names in ``airflow_update_hosts`` that are no hosts of the cluster."""
    unknown = sorted(set(names) - set(cluster.nodes))
    if not unknown:
        return []
    expected = f"hosts of the inventory: {', '.join(cluster.nodes)}"
    return [
        Problem(
            Code.FD368, "airflow_update_hosts", ", ".join(unknown), expected, "Give names with commas between them."
        )
    ]


def check_paths(found: Mapping[str, HostUpdates]) -> list[Problem]:
    """Steps between versions that upstream does not support: of a host, and between members while others wait."""
    problems = []
    for service, upgrades in UPGRADES.items():
        versions = {name: versions for name, host in found.items() if (versions := host.versions(upgrades.package))[0]}
        steps = [
            Problem(
                Code.FD365,
                f"host {name}, {BY_NAME[service].title}",
                f"{before} to {after}",
                "a step that upstream supports",
                remedy,
            )
            for name, (before, after) in versions.items()
            if (remedy := _refusal(upgrades, before, after))
        ]
        problems += steps or [
            Problem(
                Code.FD365,
                f"host {one} with {other}, {BY_NAME[service].title}",
                f"{older} beside {newer}",
                "members that work together while one after the other is updated",
                "The hosts have other sources of apt: give them the same ones.",
            )
            for (one, (older, _after)), (other, (_before, newer)) in permutations(versions.items(), 2)
            if _refusal(upgrades, *sorted((older, newer), key=numbers))
        ]
    return problems


def _refusal(upgrades: Upgrades, before: str, after: str) -> str:
    """Why members of two versions are not one supported step apart, and what to do; empty when they are."""
    if numbers(after) < numbers(before):
        return f"There is no way back: hold the package with apt-mark, or correct the sources of apt. {upgrades.page}"
    old, new = series(before), series(after)
    if old == new:
        return ""
    way = next_series(upgrades.service, old, new)
    if not way:
        return f"The step is not in the table of the collection. Hold the package with apt-mark. {upgrades.page}"
    if len(way) > 1:
        return f"Go by way of {', '.join(way[:-1])}, or set up new hosts beside these. {upgrades.page}"
    least = next(path.least for path in upgrades.paths if path.series == old)
    if least and numbers(before) < numbers(least):
        return f"Update to {least} first. {upgrades.page}"
    return ""


def check_removes(found: Mapping[str, HostUpdates]) -> list[Problem]:
    """Updates for which apt would remove packages."""
    remedy = "Look at apt-get --simulate on the host: its sources may be of several releases."
    return [
        Problem(Code.FD366, f"host {name}", f"the removal of {', '.join(host.removes)}", "updates alone", remedy)
        for name, host in found.items()
        if host.removes
    ]


def check_members(members: Mapping[str, Members], found: Mapping[str, HostUpdates]) -> list[Problem]:
    """Tiers with several ``members``, by service, that do not all run while there is something to update.

    One that an interrupted update left down may be missing, where most others run: it comes first.
    """
    if not any(host.something for host in found.values()):
        return []
    problems = []
    for service, each in members.items():
        away = [name for name in each.hosts if name not in each.running]
        left = [name for name in away if name in found and found[name].unfinished]
        running = len(each.hosts) - len(away)
        if not away or (away == left and len(away) == 1 and 2 * running > len(each.hosts)):
            continue
        where = BY_NAME[service].title
        remedy = "Start them, see journalctl on their hosts, and run again."
        text = f"{running} of {len(each.hosts)} running, without {', '.join(away)}"
        problems.append(Problem(Code.FD367, where, text, "all of them, before one after the other leaves", remedy))
    return problems


def check_health(
    status: Mapping[str, Iterable[Mapping[str, str]] | None], found: Mapping[str, HostUpdates]
) -> list[Problem]:
    """Services that have failed, by the rows of node_info in ``status``, and hosts without any (None), before anything
    is updated.

    Hosts that resume an interrupted update are not asked.
    """
    if not any(host.something for host in found.values()):
        return []
    asked = {name: rows for name, rows in status.items() if not (name in found and found[name].unfinished)}
    silent = "Correct the cause, see above, and run again."
    failed = "Repair it first: the update of another host might take what stands in for it."
    return [
        *(
            Problem(Code.FD367, f"host {name}", "no status of its services", "one of every host", silent)
            for name, rows in asked.items()
            if rows is None
        ),
        *(
            Problem(Code.FD367, f"host {name}, {row['component']}", str(row["detail"]), "a service that works", failed)
            for name, rows in asked.items()
            for row in failed_services(rows or ())
        ),
    ]


# Rows that say nothing of what an update could take away.
_OTHERS = frozenset({"certificate", "backup", "queue", "dags", "db_clean", "health", "canary"})


def failed_services(rows: Iterable[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Those of the ``rows`` of node_info that say that a service has failed."""
    return [row for row in rows if row["state"] == "failed" and str(row["component"]).partition(" ")[0] not in _OTHERS]
