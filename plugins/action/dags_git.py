# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of flightdeck.airflow.dags_git: works on the controller, without a connection to any host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.modules.dags_git import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import dag_repository
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded


class ActionModule(ActionBase):
    """See the documentation of the module."""

    _requires_connection = False
    _supports_check_mode = True

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Fetch; what is wrong comes back as text, not as a failure of the task."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = arguments(self, DOCUMENTATION)
        # Read here rather than passed as an argument: what is not an argument cannot be shown with the task.
        secrets = (task_vars or {}).get("airflow_secrets", {})
        repository = dag_repository.Repository(
            url=given["repository"],
            user=given["user"],
            token=str(secrets.get("dags_git_token", "")),
            key=str(secrets.get("dags_git_key", "")),
            known_hosts=given["known_hosts"],
        )
        result.update(changed=False, part="", found="")
        try:
            directory, commit = dag_repository.checkout(
                repository, given["ref"], given["path"], Path(os.path.expanduser(given["cache"]))
            )
        except dag_repository.RepositoryError as error:
            result.update(part=error.part, found=str(error))
            return result
        result["ansible_facts"] = {"flightdeck_dags_source": {"directory": str(directory), "commit": commit}}
        return result
