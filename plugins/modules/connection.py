#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Keep a connection in any Airflow, by its REST API."""

from __future__ import annotations

DOCUMENTATION = r"""
module: connection
short_description: Keep a connection
version_added: 0.1.0
description:
  - Creates, changes or deletes a connection of Airflow 2.11 or 3.
  - The object becomes what the task says. Fields that are left out are emptied.
  - Airflow shows neither a password nor what is secret in an extra. O(metastore_url) or O(update_secrets) say how these
    are compared.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: [flightdeck.airflow.api, flightdeck.airflow.api.state]
options:
  conn_id:
    description: Its id.
    type: str
    required: true
  conn_type:
    description: Its type, such as V(postgres). Required without O(uri).
    type: str
  description:
    description: What it is for.
    type: str
  host:
    description: Host.
    type: str
  login:
    description: Account.
    type: str
  schema:
    description: Schema, or what the type takes for one, such as a database.
    type: str
  port:
    description: Port.
    type: int
  password:
    description: Password.
    type: str
  extra:
    description: What the type has besides, as a dictionary.
    type: dict
  uri:
    description: All of it as Airflow's URI, such as V(postgres://login:password@host:5432/schema), in place of the
      other fields but O(description).
    type: str
"""

EXAMPLES = r"""
- name: Keep the connection to the warehouse
  flightdeck.airflow.connection:
    url: https://airflow.example.org
    api_username: admin
    api_password: "{{ airflow_password }}"
    conn_id: warehouse
    conn_type: postgres
    host: db.example.org
    port: 5432
    login: etl
    password: "{{ warehouse_password }}"
    schema: sales
    extra:
      sslmode: verify-full
    # Its password cannot be compared from here.
    update_secrets: on_create
  delegate_to: localhost

- name: Keep it, and compare its password in the database
  flightdeck.airflow.connection:
    url: https://airflow.example.org
    api_username: admin
    api_password: "{{ airflow_password }}"
    conn_id: warehouse
    uri: "postgres://etl:{{ warehouse_password | urlencode }}@db.example.org:5432/sales"
    metastore_url: "{{ airflow_database_url }}"
    fernet_key: "{{ airflow_fernet_key }}"
  delegate_to: webserver1
  vars:
    ansible_python_interpreter: /opt/airflow/current/bin/python

- name: Delete a connection
  flightdeck.airflow.connection:
    url: https://airflow.example.org
    api_username: admin
    api_password: "{{ airflow_password }}"
    conn_id: warehouse
    state: absent
  delegate_to: localhost
"""

RETURN = r"""
changes:
  description: What changed, or would change.
  type: list
  elements: dict
  returned: success
  sample: [{kind: connection, name: warehouse, action: created}]
  contains:
    kind:
      description: Kind of the object.
      type: str
    name:
      description: Its name.
      type: str
    action:
      description: V(created), V(updated) or V(deleted).
      type: str
"""

from ansible_collections.flightdeck.airflow.plugins.module_utils import _object_module


def main() -> None:
    """Entry point."""
    _object_module.run_single("connection")


if __name__ == "__main__":
    main()
