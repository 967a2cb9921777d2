# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of flightdeck.airflow.canary: works on the controller, through the load balancer, without a connection to
any host."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.flightdeck.airflow.plugins.modules.canary import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._api.access import cluster_api
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._api.canary import Canary
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.drained import drained_hosts

display = Display()


class ActionModule(ActionBase):
    """See the documentation of the module."""

    _requires_connection = False
    _supports_check_mode = True

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the canary; what is wrong with the cluster comes back as rows, not as a failure of the task."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = arguments(self, DOCUMENTATION)
        api = cluster_api(task_vars or {}, float(given["timeout_seconds"] or 0))
        cluster = (task_vars or {})["airflow_cluster"]
        if self._task.check_mode:
            result.update(changed=False, skipped=True, rows=[], msg="The canary runs tasks, which check mode does not")
            return result
        addresses = {str(name): str(node["address"]) for name, node in cluster["nodes"].items()}
        away = drained_hosts(cluster["nodes"], (task_vars or {})["hostvars"])
        queues = {
            str(queue): [str(name) for name in names if name not in away] for queue, names in cluster["queues"].items()
        }
        rows = Canary(api, queues, addresses, progress=lambda text: display.display(f"canary: {text}")).run()
        result.update(changed=False, rows=rows)
        return result
