# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of tasks in an object store: the options of airflow.cfg, and the connection of those that write or read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import Config

CONNECTION = "flightdeck_logs"
# Airflow asks the environment for a connection before anything else. A worker on Airflow 3 has no other place that does
# not depend on the execution API.
VARIABLE = f"AIRFLOW_CONN_{CONNECTION.upper()}"
# Workers and triggerers write logs, webservers read them.
COMPONENTS = ("webserver", "triggerer", "worker")
# By the scheme of the URL, the type of the connection.
TYPES: Mapping[str, str] = MappingProxyType({"s3": "aws", "gs": "google_cloud_platform", "wasb": "wasb"})


def config(url: str) -> Config:
    """Options of airflow.cfg for logs at ``url``; none without one."""
    if not url:
        return {}
    parts = urlsplit(url)
    azure = parts.scheme == "wasb"
    found: Config = {
        "logging": {
            "remote_logging": True,
            # Azure's container has an option of its own.
            "remote_base_log_folder": f"wasb://{parts.path.strip('/')}" if azure else url.rstrip("/"),
            "remote_log_conn_id": CONNECTION,
        }
    }
    if azure:
        found["azure_remote_logging"] = {"remote_wasb_log_container": parts.netloc}
    return found


def variables(url: str, connection: Mapping[str, object]) -> dict[str, object]:
    """The secret variable of the environment with the ``connection`` for ``url``, as ``airflow_secret_environment``
    has it; none without both."""
    kind = TYPES.get(urlsplit(url).scheme, "")
    if not kind or not connection:
        return {}
    value = json.dumps({"conn_type": kind, **connection}, sort_keys=True, default=str)
    return {VARIABLE: {"value": value, "components": list(COMPONENTS)}}
