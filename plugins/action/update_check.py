# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of flightdeck.airflow.update_check: checks updates of packages, and orders the hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.flightdeck.airflow.plugins.modules.update_check import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import drained, updates
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Cluster
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.updates import HostUpdates
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import drain
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import updates as checks
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import report

display = Display()


class ActionModule(ActionBase):
    """See the documentation of the module."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Raises AnsibleActionFail with every problem found."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = arguments(self, DOCUMENTATION)
        variables = task_vars or {}
        hostvars = variables["hostvars"]
        cluster = Cluster.from_vars(variables["airflow_cluster"], "airflow_cluster")
        away = drained.drained_hosts(cluster.nodes, hostvars)
        found = {
            name: _unfinished(
                HostUpdates.from_vars(hostvars[name][given["from_updates"]]["updates"]),
                name,
                cluster,
                away,
                seen(cluster, hostvars, "rabbitmq_drained"),
            )
            for name in cluster.nodes
        }
        members = seen(cluster, hostvars, "metastore_members")
        leader = next((str(each["name"]) for each in members if each["role"] in drain.LEADS), "")
        order = updates.order(cluster, found, leader, given["hosts"])
        updated = {name: found[name] for name in order}
        status = {name: hostvars[name].get(given["from_status"], {}).get("rows", []) for name in cluster.nodes}
        problems = [
            *checks.check_hosts(given["hosts"], cluster),
            *checks.check_paths(
                {name: host if name in updated else replace(host, upgrades=()) for name, host in found.items()}
            ),
            *checks.check_removes(updated),
            *checks.check_members(_tiers(cluster, hostvars, members), updated),
            *checks.check_health(status, updated),
        ]
        drains = [name for name in order if given["everything"] and cluster.nodes[name].components]
        alone = [problem for name in drains for problem in drain.check_capacity([name], away, status, cluster)]
        if problems or (alone and not given["confirmed"]):
            raise AnsibleActionFail(report([*problems, *(() if given["confirmed"] else alone)]))
        for problem in alone:
            display.display(f"[WARNING]: {problem}", color=C.COLOR_WARN, stderr=True)
        result.update(
            changed=False,
            order=order,
            lines=updates.lines(found, order),
            work={
                name: {
                    "packages": [f"{each.name}={each.after}" for each in host.upgrades],
                    "services": updates.affected(cluster.nodes[name], host, given["everything"]),
                    "drain": name in drains,
                    "resumes": bool(host.unfinished),
                }
                for name, host in updated.items()
            },
        )
        return result


def seen(cluster: Cluster, hostvars: Mapping[str, Any], fact: str) -> Any:
    """What the first host that has a ``fact`` of a tier has."""
    return next((hostvars[name][fact] for name in cluster.nodes if fact in hostvars[name]), [])


def _unfinished(
    host: HostUpdates, name: str, cluster: Cluster, away: Mapping[str, Mapping[str, str]], drained_nodes: list[str]
) -> HostUpdates:
    """``host`` with what an interrupted run left beside packages."""
    node = cluster.nodes[name].rabbitmq
    return replace(
        host,
        unfinished=(
            *host.unfinished,
            *(["its RabbitMQ node takes no clients"] if node and node.nodename in drained_nodes else []),
            *(["it was drained for this"] if away.get(name, {}).get("reason") == updates.DRAIN_REASON else []),
        ),
    )


def _tiers(cluster: Cluster, hostvars: Mapping[str, Any], servers: list[Any]) -> dict[str, checks.Members]:
    """The tiers that decide by majority, with the hosts whose members run."""
    hosts = {tier: [host.name for host in cluster.hosts_of[tier]] for tier in ("etcd", "rabbitmq", "metastore")}
    nodes = {name: node.rabbitmq.nodename for name, node in cluster.nodes.items() if node.rabbitmq}
    etcd = {name: node.etcd.name for name, node in cluster.nodes.items() if node.etcd}
    running = {
        "etcd": [name for name, own in etcd.items() if own in seen(cluster, hostvars, "etcd_running")],
        "rabbitmq": [name for name, own in nodes.items() if own in seen(cluster, hostvars, "rabbitmq_running")],
        "metastore": [str(each["name"]) for each in servers if each["state"] in drain.RUNS],
    }
    return {tier: checks.Members(running[tier], hosts[tier]) for tier in hosts if len(hosts[tier]) > 1}
