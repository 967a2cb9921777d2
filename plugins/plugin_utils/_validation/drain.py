# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of what is left of a cluster when hosts leave it for a while."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import COMPONENT
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Cluster
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem

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
        remedy = "Nothing runs there yet: deploy them by site.yml, or take them out of the inventory."
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
