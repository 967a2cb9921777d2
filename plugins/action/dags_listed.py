# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of flightdeck.airflow.dags_listed: works on the controller, through the load balancer, without a connection to
any host."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.modules.dags_listed import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._api import dags
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._api.access import cluster_api
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded


class ActionModule(ActionBase):
    """See the documentation of the module."""

    _requires_connection = False
    _supports_check_mode = True

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Wait; what is wrong comes back as text, not as a failure of the task."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = arguments(self, DOCUMENTATION)
        api = cluster_api(task_vars or {}, float(given["timeout_seconds"]))
        result.update(changed=False, problem="")
        if self._task.check_mode:
            return result
        place = (str(given["path"]), str(given["bundle"]))
        result["problem"] = dags.check(api, given["added"], given["removed"], given["known_errors"], place, time.sleep)
        return result
