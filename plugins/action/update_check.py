# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of flightdeck.airflow.update_check: checks updates of packages, and orders the hosts."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.modules.update_check import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.answers import first_answer
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.refusal import refuse
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import drained, updates
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Cluster
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.updates import HostUpdates
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import drain
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import updates as checks


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
        seen = partial(first_answer, hostvars, cluster.nodes)
        found = {
            name: updates.resumed(
                HostUpdates.from_vars(hostvars[name][given["from_updates"]]["updates"]),
                node,
                away.get(name, {}),
                seen("rabbitmq_drained"),
            )
            for name, node in cluster.nodes.items()
        }
        servers = seen("metastore_members")
        leader = next((str(each["name"]) for each in servers if each["role"] in drain.LEADS), "")
        members = checks.tiers(cluster, seen("etcd_running"), seen("rabbitmq_running"), servers)
        order = updates.order(cluster, found, leader, given["hosts"])
        updated = {name: found[name] for name in order}
        answers = {name: hostvars[name].get(given["from_status"], {}).get("rows") for name in cluster.nodes}
        status = {name: rows or [] for name, rows in answers.items()}
        problems = [
            *checks.check_hosts(given["hosts"], cluster),
            *checks.check_paths(
                {name: host if name in updated else replace(host, upgrades=()) for name, host in found.items()}
            ),
            *checks.check_removes(updated),
            *checks.check_members(members, updated),
            *checks.check_health(answers, updated),
        ]
        drains = [name for name in order if given["everything"] and cluster.nodes[name].components]
        alone = [problem for name in drains for problem in drain.check_capacity([name], away, status, cluster)]
        refuse(problems, alone, given["confirmed"])
        result.update(
            changed=False,
            order=order,
            lines=updates.lines(found, order),
            work={
                name: {
                    "packages": [f"{each.name}={each.after}" for each in host.upgrades],
                    "services": updates.affected(cluster.nodes[name], host, given["everything"]),
                    "drain": name in drains or updates.HOST_DRAINED in host.unfinished,
                    "resumes": updates.half_way(host),
                }
                for name, host in updated.items()
            },
        )
        return result
