#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Keep a pool in any Airflow, by its REST API."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pool
short_description: Keep a pool
version_added: 0.1.0
description:
  - Creates, changes or deletes a pool of Airflow 2.11 or 3.
  - The object becomes what the task says. Fields that are left out are emptied.
  - Airflow needs C(default_pool). Its slots can be changed, and its description cannot.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: [flightdeck.airflow.api, flightdeck.airflow.api.state]
options:
  name:
    description: Its name.
    type: str
    required: true
  slots:
    description: Task slots; V(-1) means no limit. Required with O(state=present).
    type: int
  description:
    description: What it is for.
    type: str
  include_deferred:
    description: Whether tasks that wait in a triggerer occupy slots.
    type: bool
"""

EXAMPLES = r"""
- name: Keep a pool
  flightdeck.airflow.pool:
    url: https://airflow.example.org
    api_username: admin
    api_password: "{{ airflow_password }}"
    name: warehouse
    slots: 8
    description: Queries at the same time
  delegate_to: localhost
"""

RETURN = r"""
changes:
  description: What changed, or would change.
  type: list
  elements: dict
  returned: success
  sample: [{kind: pool, name: warehouse, action: created}]
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
    _object_module.run_single("pool")


if __name__ == "__main__":
    main()
