# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts of the cluster are drained, as far as the run has asked them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Cluster


def drained_hosts(names: Iterable[str], hostvars: Mapping[str, Mapping[str, object]]) -> dict[str, dict[str, str]]:
    """Those of the hosts ``names`` that are drained, with since when and why: what preflight_facts or drained found, in
    the facts that ``hostvars`` has of each.

    A host that was not asked counts as one that is not drained.
    """
    found = {}
    for name in names:
        if name not in hostvars:
            continue
        facts = hostvars[name].get("ansible_facts")
        record = facts.get("flightdeck_drained") if isinstance(facts, Mapping) else None
        if isinstance(record, Mapping) and record:
            found[str(name)] = {str(key): str(value) for key, value in record.items()}
    return found


def running_lines(names: Sequence[str], cluster: Cluster, running: Iterable[Mapping[str, object]]) -> list[str]:
    """For people: the ``running`` tasks of each of the hosts ``names`` of the ``cluster``, with their ages.

    Tasks know an IPv6 address in brackets, as it stands in the URLs of their logs.
    """
    tasks = list(running)
    lines = []
    for name in names:
        own = [task for task in tasks if str(task["host"]).strip("[]") == cluster.nodes[name].address]
        if "worker" in cluster.nodes[name].components:
            bound = f", which get {cluster.drain_timeout_seconds} s at most to finish" if own else ""
            lines.append(f"{name}: {len(own)} running tasks{bound}")
        lines += [f"  {task['task']}, for {task['seconds']} s" for task in own]
    return lines
