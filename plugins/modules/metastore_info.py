#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""See whether a database server that the collection does not manage can be Airflow's metastore."""

from __future__ import annotations

DOCUMENTATION = r"""
module: metastore_info
short_description: See whether a database server can be Airflow's metastore
version_added: 0.1.0
description:
  - Logs in by each URL and asks the server for its version and for the settings that Airflow and its next migration
    need. Writes nothing.
  - Must run with the Python of the release (C(ansible_python_interpreter)), which has the drivers.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  engine:
    description: What the server has to be.
    type: str
    choices: [postgresql, mysql]
    required: true
  least_version:
    description: Oldest version that the release supports.
    type: str
    required: true
  major:
    description: Major version of Airflow that will use the server.
    type: int
    required: true
  urls:
    description: SQLAlchemy URLs of the accounts that have to be able to log in, each under the name of the variable
      that says it.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: See whether the server can be Airflow's metastore
  flightdeck.airflow.metastore_info:
    engine: postgresql
    least_version: "14"
    major: 3
    urls:
      airflow_metastore_url: "{{ airflow_cluster.database_owner | flightdeck.airflow.secret_content(airflow_secrets) }}"
  vars:
    ansible_python_interpreter: /opt/airflow/current/bin/python
"""

RETURN = r"""
version:
  description: What the server says of its version.
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _metastore_server, _redaction


def ask(url: str, queries: dict[str, str]) -> dict[str, str]:
    """What the server behind ``url`` answers: the last column of the first row, as text.

    ``_metastore_server.SESSION`` is asked in a transaction of its own, and once more by a second connection: SECOND.
    """
    from sqlalchemy import create_engine, text

    # Airflow 2 has an SQLAlchemy whose connections have no rollback otherwise.
    engine = create_engine(url, future=True)
    with engine.connect() as connection:
        rows = {name: connection.execute(text(query)).first() for name, query in queries.items()}
        if own := queries.get(_metastore_server.SESSION):
            connection.rollback()
            with engine.connect() as second:
                rows[_metastore_server.SECOND] = second.execute(text(own)).first()
    return {name: str(row[-1]) if row else "" for name, row in rows.items()}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "engine": {"type": "str", "choices": ["postgresql", "mysql"], "required": True},
            "least_version": {"type": "str", "required": True},
            "major": {"type": "int", "required": True},
            "urls": {"type": "dict", "required": True, "no_log": True},
        },
        supports_check_mode=True,
    )
    engine, least, major = (module.params[name] for name in ("engine", "least_version", "major"))
    said: dict[str, str] = {}
    for variable, url in module.params["urls"].items():
        try:
            said = ask(url, _metastore_server.QUERIES[engine])
        except Exception as error:
            reason = _redaction.reason(error, url)
            found = f"FD178 the server of {variable}: found no login ({reason}); expected a server that answers"
            module.fail_json(msg=f"{found}. Check the server, the URL and the network path.")
        if problem := _metastore_server.server_problem(variable, engine, least, major, said):
            module.fail_json(msg=problem)
    module.exit_json(changed=False, version=said.get("version", ""))


if __name__ == "__main__":
    main()
