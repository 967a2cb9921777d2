# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of flightdeck.airflow.status_report: prints what the hosts and the canary found, and fails when something
is wrong."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.flightdeck.airflow.plugins.module_utils._airflow_api import Client
from ansible_collections.flightdeck.airflow.plugins.module_utils._rows import Row
from ansible_collections.flightdeck.airflow.plugins.modules.status_report import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._api import report
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.files import write_report
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded

_TIMEOUT_SECONDS = 10

display = Display()


class ActionModule(ActionBase):
    """See the documentation of the module."""

    _requires_connection = False
    _supports_check_mode = True

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Collect, print, judge."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = arguments(self, DOCUMENTATION)
        variables = task_vars or {}
        if "airflow_cluster" not in variables:
            raise AnsibleActionFail("airflow_cluster is not set: compute the cluster model first")
        cluster = variables["airflow_cluster"]
        rows: list[Row] = []
        not_asked: list[str] = []
        for host in cluster["nodes"]:
            hostvars = variables["hostvars"]
            found = hostvars[host].get(given["from_hosts"]) if host in hostvars else None
            if found is None:
                not_asked.append(str(host))
            rows += report.host_rows(str(host), found)
        url = _health_url(str(cluster["url"]), int(cluster["version"]["major"]))
        ca = str(variables["airflow_certificates"].get("ca", ""))
        groups = [str(group) for group, members in cluster["hosts_of"].items() if members]
        rows += report.health_rows(url, _fetch(url, ca), groups)
        rows = report.once([*rows, *given["rows"]])
        rows = report.arranged([*rows, *report.revision_rows(rows)])
        good, text = report.verdict(str(cluster["name"]), rows, not_asked)
        document = report.document(
            str(cluster["name"]),
            str(cluster["url"]),
            str(cluster["version"]["full"]),
            rows,
            not_asked,
            now=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        if given["format"] == "json":
            display.display(json.dumps(document))
        else:
            self._print(rows)
        if given["file"] and not self._task.check_mode:
            write_report(given["file"], document)
        result.update(changed=False, failed=given["must_be_good"] and not good, msg=text)
        if not result["failed"]:
            # Ansible prints the whole result of a failed task, and the table is on the screen already.
            result["rows"] = rows
        return result

    @staticmethod
    def _print(rows: list[Row]) -> None:
        heading, *lines = report.table(rows)
        display.display(f"\n{heading}", color=C.COLOR_HIGHLIGHT)
        colors = {
            "ok": C.COLOR_OK,
            "degraded": C.COLOR_WARN,
            "failed": C.COLOR_ERROR,
            "unreachable": C.COLOR_UNREACHABLE,
        }
        for row, line in zip(rows, lines, strict=True):
            display.display(line, color=colors.get(row["state"]))
        display.display("")


def _health_url(url: str, major: int) -> str:
    return f"{url}/api/v2/monitor/health" if major >= 3 else f"{url}/api/v1/health"


def _fetch(url: str, ca: str) -> Mapping[str, Any] | str:
    """Airflow's health page as a dictionary, or why it could not be had."""
    try:
        with Client(ca).open("GET", url, timeout=_TIMEOUT_SECONDS) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        return f"status {error.code}"
    except OSError as error:
        return f"no answer ({getattr(error, 'reason', error)})"
    except ValueError:
        return "the answer is not JSON"
