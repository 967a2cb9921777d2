#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""See what a release would do to Airflow's metadata database."""

from __future__ import annotations

DOCUMENTATION = r"""
module: schema_info
short_description: See which migrations a release has for Airflow's database
version_added: 0.3.0
description:
  - Compares the schema versions in the database with those of a release, which need not be the active one, and lists
    the migrations between them by the text of their files. Airflow is not imported.
  - Must run with the Python of the release (C(ansible_python_interpreter)), as root.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  owner_url:
    description: SQLAlchemy URL by which the owner of the tables reaches the database.
    type: str
    required: true
  release:
    description: Directory of the release.
    type: path
    required: true
  active_release:
    description: Directory of the release that runs. Empty, or one that is not there, means that none does.
    type: path
    default: ''
  last_run:
    description: Number of a DAG run. Runs with a higher one are counted; with V(-1) none are.
    type: int
    default: -1
"""

EXAMPLES = r"""
- name: Compare the schema with the next release's
  flightdeck.airflow.schema_info:
    owner_url: "{{ airflow_cluster.database_owner | flightdeck.airflow.secret_content(airflow_secrets) }}"
    release: /opt/airflow/releases/3.3.2-0a1b2c3d-py3.11
  vars:
    ansible_python_interpreter: /opt/airflow/releases/3.3.2-0a1b2c3d-py3.11/bin/python
"""

RETURN = r"""
schema:
  description: Schema version of each version table in the database that the release has, too; empty for none.
  type: dict
  returned: success
heads:
  description: Schema version that each of these tables must hold for the release.
  type: dict
  returned: success
active_heads:
  description: The same for O(active_release); empty when there is none.
  type: dict
  returned: success
equal:
  description: Whether the schema and the heads of O(release) are the same.
  type: bool
  returned: success
migrations:
  description: What leads from the one to the other, with revision, version and title. Null when the release does not
    know the schema.
  type: list
  elements: dict
  returned: success
size_mb:
  description: Size of the database.
  type: int
  returned: success
runs:
  description: Number of DAG runs by state that came after O(last_run).
  type: dict
  returned: success
"""

import json
import os
import sys
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _metadata, _redaction

SIZES = {
    "postgresql": "SELECT pg_database_size(current_database())",
    "mysql": "SELECT SUM(data_length + index_length) FROM information_schema.tables WHERE table_schema = DATABASE()",
}


def migrations(schema: dict[str, str], heads: dict[str, str], packages: str) -> list[dict[str, str]] | None:
    """The migrations from ``schema`` to ``heads`` by a release with its ``packages``; None when it has none."""
    found = []
    for table, head in heads.items():
        chain = _metadata.migrations(os.path.join(packages, _metadata.CHAINS.get(table, "")))
        steps = _metadata.between(chain, schema[table], head)
        if steps is None:
            return None
        found += [
            {"table": table, "revision": step.revision, "version": step.version, "title": step.title} for step in steps
        ]
    return found


def heads_of(release: str) -> dict[str, str]:
    """What the release in a directory needs. Raises OSError."""
    with open(os.path.join(release, "release.json"), encoding="utf-8") as stream:
        return dict(json.load(stream)["heads"])


def ask(url: str, last_run: int) -> dict[str, Any]:
    """Schema versions, size and runs of the database at ``url``. Raises what SQLAlchemy and its drivers do."""
    from sqlalchemy import create_engine, text

    engine = create_engine(url)
    with engine.connect() as connection:
        runs = (
            connection.execute(
                text("SELECT state, count(*) FROM dag_run WHERE id > :last GROUP BY state"), {"last": last_run}
            ).all()
            if last_run >= 0
            else ()
        )
        size = connection.execute(text(SIZES[engine.dialect.name])).scalar() or 0
        return {
            "versions": _metadata.versions(connection),
            "size_mb": int(size) >> 20,
            "runs": {str(state): int(count) for state, count in runs},
        }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "owner_url": {"type": "str", "required": True, "no_log": True},
            "release": {"type": "path", "required": True},
            "active_release": {"type": "path", "default": ""},
            "last_run": {"type": "int", "default": -1},
        },
        supports_check_mode=True,
    )
    url = module.params["owner_url"]
    heads = heads_of(module.params["release"])
    active = module.params["active_release"]
    try:
        found = ask(url, module.params["last_run"])
    except Exception as error:
        module.fail_json(msg=f"the metadata database does not answer: {_redaction.reason(error, url)}")
    schema = {table: found["versions"].get(table, "") for table in heads}
    module.exit_json(
        changed=False,
        schema=schema,
        heads=heads,
        active_heads=heads_of(active) if active and os.path.isdir(active) else {},
        equal=schema == heads,
        migrations=migrations(schema, heads, _metadata.packages_of(sys.executable)),
        size_mb=found["size_mb"],
        runs=found["runs"],
    )


if __name__ == "__main__":
    main()
