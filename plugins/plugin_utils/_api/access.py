# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API of the cluster of a run, as its administrator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.flightdeck.airflow.plugins.module_utils._airflow_api import Api, Deadline


def cluster_api(variables: Mapping[str, Any], seconds: float) -> Api:
    """The API through the load balancer from the ``variables`` of a task, for ``seconds``, or with 0 as long as
    airflow_verify_timeout_seconds says.

    They are read here rather than passed as arguments: what is not an argument cannot be shown with the task. Raises
    AnsibleActionFail without the cluster model.
    """
    try:
        cluster = variables["airflow_cluster"]
        password = str(variables["airflow_secrets"]["admin_password"])
        ca = str(variables["airflow_certificates"].get("ca", ""))
    except KeyError as error:
        raise AnsibleActionFail(
            f"{error.args[0]} is not set: import the playbook flightdeck.airflow.phases.preflight first"
        ) from error
    token = str(variables.get("airflow_api_token") or "")
    if cluster["auth_manager"] == "other" and not token:
        raise AnsibleActionFail(
            "no user can log in with airflow_admin_password, because airflow_auth_manager is a class of another "
            "provider: get a token of an administrator from it, and give it with -e airflow_api_token=..."
        )
    deadline = Deadline(seconds or float(cluster["verify_timeout_seconds"]))
    major = int(cluster["version"]["major"])
    return Api(str(cluster["url"]), major, str(cluster["admin_user"]), password, deadline, ca, token=token)
