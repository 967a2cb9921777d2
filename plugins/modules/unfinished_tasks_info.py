#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""See which tasks workers hold or may get."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unfinished_tasks_info
short_description: See whether tasks of Airflow are queued or running
version_added: 0.1.0
description:
  - Asks the metastore, whichever it is, with the URL that Airflow's own processes on this host have.
  - Must run with the Python of the release (C(ansible_python_interpreter)), as root, on a host of a webserver or
    scheduler.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  url_file:
    description: File with the SQLAlchemy URL of the metastore.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Wait until no task is queued or running
  flightdeck.airflow.unfinished_tasks_info:
    url_file: /etc/airflow/secrets/sql_alchemy_conn
  vars:
    ansible_python_interpreter: /opt/airflow/current/bin/python
  register: __tasks
  until: __tasks is success and __tasks.states | length == 0
"""

RETURN = r"""
states:
  description: The states in which there are unfinished tasks, sorted.
  type: list
  elements: str
  returned: success
  sample: [queued, running]
running:
  description: Each running task, with C(host), its worker as Airflow knows it, C(task) and how many C(seconds) it runs;
    the longest first.
  type: list
  elements: dict
  returned: success
  sample: [{host: 192.0.2.21, task: sales.load of manual__2026-01-01, seconds: 125}]
"""

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _redaction

QUERY = "SELECT DISTINCT state FROM task_instance WHERE state IN ('queued', 'running', 'restarting') ORDER BY state"

RUNNING = (
    "SELECT hostname, dag_id, task_id, map_index, run_id, start_date FROM task_instance "
    "WHERE state IN ('running', 'restarting')"
)


def running(rows: Iterable[Mapping[str, Any]], now: datetime.datetime) -> list[dict[str, Any]]:
    """Running tasks from the ``rows`` of the query, the longest first; ``now`` has a time zone."""
    found = []
    for row in rows:
        began = row["start_date"] or now
        # MySQL has no time zones: Airflow writes UTC.
        began = began if began.tzinfo else began.replace(tzinfo=datetime.UTC)
        mapped = f"[{row['map_index']}]" if row["map_index"] >= 0 else ""
        task = f"{row['dag_id']}.{row['task_id']}{mapped} of {row['run_id']}"
        found.append(
            {"host": str(row["hostname"]), "task": task, "seconds": max(int((now - began).total_seconds()), 0)}
        )
    return sorted(found, key=lambda each: (-each["seconds"], each["task"]))


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec={"url_file": {"type": "path", "required": True}}, supports_check_mode=True)
    url = ""
    try:
        with open(module.params["url_file"], encoding="utf-8") as stream:
            url = stream.read()
        from sqlalchemy import create_engine, text

        with create_engine(url).connect() as connection:
            states = [str(row[0]) for row in connection.execute(text(QUERY))]
            rows = [dict(row) for row in connection.execute(text(RUNNING)).mappings()]
    except Exception as error:
        module.fail_json(msg=f"the metastore does not answer: {_redaction.reason(error, url)}")
    module.exit_json(changed=False, states=states, running=running(rows, datetime.datetime.now(datetime.UTC)))


if __name__ == "__main__":
    main()
