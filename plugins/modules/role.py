#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Keep a role in any Airflow, by its REST API."""

from __future__ import annotations

DOCUMENTATION = r"""
module: role
short_description: Keep a role
version_added: 0.1.0
description:
  - Creates, changes or deletes a role of Airflow's own auth manager, FAB, in Airflow 2.11 or 3.
  - The roles that Airflow makes get their permissions again whenever it starts, so that only others can be kept.
  - The API of Airflow 2.11 gives permissions and takes none away. The module fails where it would have to.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: [flightdeck.airflow.api, flightdeck.airflow.api.state]
options:
  name:
    description: Its name.
    type: str
    required: true
  permissions:
    description: The actions that it allows, by resource, all of them. Required with O(state=present).
    type: dict
"""

EXAMPLES = r"""
- name: Keep a role that may see and start one DAG
  flightdeck.airflow.role:
    url: https://airflow.example.org
    api_username: admin
    api_password: "{{ airflow_password }}"
    name: sales
    permissions:
      Website: [can_read]
      DAG Runs: [can_create, can_read]
      "DAG:sales": [can_read, can_edit]
  delegate_to: localhost
"""

RETURN = r"""
changes:
  description: What changed, or would change.
  type: list
  elements: dict
  returned: success
  sample: [{kind: role, name: sales, action: created}]
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
    _object_module.run_single("role")


if __name__ == "__main__":
    main()
