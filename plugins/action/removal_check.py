# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of flightdeck.airflow.removal_check: computes what is left of tiers with several members without hosts."""

from __future__ import annotations

from functools import partial
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.modules.removal_check import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.answers import first_answer
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.refusal import refuse
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Cluster
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import drain


class ActionModule(ActionBase):
    """See the documentation of the module."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Raises AnsibleActionFail with every problem found."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        leaving = arguments(self, DOCUMENTATION)["hosts"]
        variables = task_vars or {}
        hostvars = variables["hostvars"]
        rest = Cluster.from_vars(variables["airflow_cluster"], "airflow_cluster")
        whole = Cluster.from_vars(variables["airflow_whole_cluster"], "airflow_whole_cluster")
        seen = partial(first_answer, hostvars, rest.nodes)
        etcd = drain.Members("etcd", seen("etcd_members"), seen("etcd_running"))
        rabbitmq = drain.Members("RabbitMQ", seen("rabbitmq_members"), seen("rabbitmq_running"))
        nodes = [node.nodename for name in leaving if (node := whole.nodes[name].rabbitmq)]
        stays = any(node.metastore and node.metastore.patroni for node in rest.nodes.values())
        names = ", ".join(leaving)
        problems = [
            *drain.check_majority(etcd, leaving, names),
            *drain.check_majority(rabbitmq, nodes, names),
            *drain.check_queues(seen("rabbitmq_queues"), nodes, names),
            *drain.check_metastore(seen("metastore_members"), leaving, stays),
        ]
        refuse(problems)
        result["changed"] = False
        return result
