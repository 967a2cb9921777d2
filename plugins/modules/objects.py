#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Keep connections, variables, pools, users and roles in any Airflow, by its REST API."""

from __future__ import annotations

DOCUMENTATION = r"""
module: objects
short_description: Keep connections, variables, pools, users and roles
version_added: 0.1.0
description:
  - Reads all of it in a few requests, compares, and writes only what differs. Two hundred objects are one task.
  - Everything that is wrong with the declarations ends the task before anything is written, such as duplicates,
    and roles that do not exist.
  - Roles come first, then users, pools, variables and connections; then what is deleted, the other way round.
  - Objects that are not declared stay, unless O(prune) names their kind.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.api
options:
  connections:
    description: Dictionaries with the options of M(flightdeck.airflow.connection).
    type: list
    elements: raw
    default: []
  variables:
    description: Dictionaries with the options of M(flightdeck.airflow.variable).
    type: list
    elements: raw
    default: []
  pools:
    description: Dictionaries with the options of M(flightdeck.airflow.pool).
    type: list
    elements: raw
    default: []
  users:
    description: Dictionaries with the options of M(flightdeck.airflow.user).
    type: list
    elements: raw
    default: []
  roles:
    description: Dictionaries with the options of M(flightdeck.airflow.role).
    type: list
    elements: raw
    default: []
  prune:
    description: Kinds of which everything is deleted that is not declared. The module's own account, C(default_pool)
      and Airflow's own roles stay. Users that LDAP or OpenID Connect has made are not declared either.
    type: list
    elements: str
    choices: [roles, users, pools, variables, connections]
    default: []
  must_answer:
    description: Whether, in check mode, an Airflow that does not answer or refuses the login is a failure. A deployment
      that would change either finds what is there before.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Keep what the team's DAGs use
  flightdeck.airflow.objects:
    url: https://airflow.example.org
    api_username: admin
    api_password: "{{ airflow_password }}"
    connections:
      - {conn_id: warehouse, conn_type: postgres, host: db.example.org, password: "{{ warehouse_password }}"}
      - {conn_id: lake, conn_type: aws, extra: {region_name: eu-central-1}}
    variables:
      - {key: regions, value: [emea, apac]}
    pools:
      - {name: warehouse, slots: 8}
    prune: [pools]
    update_secrets: on_create
  delegate_to: localhost
  run_once: true
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
    _object_module.run_all()


if __name__ == "__main__":
    main()
