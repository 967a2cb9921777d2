#!/usr/bin/python
# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""See which tasks workers hold or may get."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unfinished_tasks
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
  flightdeck.airflow.unfinished_tasks:
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
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _redaction

QUERY = "SELECT DISTINCT state FROM task_instance WHERE state IN ('queued', 'running', 'restarting') ORDER BY state"


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
    except Exception as error:
        module.fail_json(msg=f"the metastore does not answer: {_redaction.reason(error, url)}")
    module.exit_json(changed=False, states=states)


if __name__ == "__main__":
    main()
