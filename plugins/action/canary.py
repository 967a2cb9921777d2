"""Action of flightdeck.airflow.canary: works on the controller, through the load balancer, without a connection to
any host."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.flightdeck.airflow.plugins.module_utils._airflow_api import Api, Deadline
from ansible_collections.flightdeck.airflow.plugins.modules.canary import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._api.canary import Canary
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded

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
        variables = task_vars or {}
        try:
            cluster = variables["airflow_cluster"]
            # Read here rather than passed as an argument: what is not an argument cannot be shown with the task.
            password = str(variables["airflow_secrets"]["admin_password"])
            ca = str(variables["airflow_certificates"].get("ca", ""))
        except KeyError as error:
            raise AnsibleActionFail(
                f"{error.args[0]} is not set: import the playbook flightdeck.airflow.phases.preflight first"
            ) from error
        if self._task.check_mode:
            result.update(changed=False, skipped=True, rows=[], msg="The canary runs tasks, which check mode does not")
            return result
        deadline = Deadline(float(given["timeout_seconds"] or cluster["verify_timeout_seconds"]))
        api = Api(
            str(cluster["url"]), int(cluster["version"]["major"]), str(cluster["admin_user"]), password, deadline, ca
        )
        addresses = {str(name): str(node["address"]) for name, node in cluster["nodes"].items()}
        queues = {str(queue): [str(name) for name in names] for queue, names in cluster["queues"].items()}
        rows = Canary(api, queues, addresses, progress=lambda text: display.display(f"canary: {text}")).run()
        result.update(changed=False, rows=rows)
        return result
