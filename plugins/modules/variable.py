#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Keep a variable in any Airflow, by its REST API."""

from __future__ import annotations

DOCUMENTATION = r"""
module: variable
short_description: Keep a variable
version_added: 0.1.0
description:
  - Creates, changes or deletes a variable of Airflow 2.11 or 3.
  - The object becomes what the task says. Fields that are left out are emptied.
  - Airflow masks values whose keys look like secrets, such as C(api_key). O(metastore_url) or O(update_secrets) say how
    these are compared.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: [flightdeck.airflow.api, flightdeck.airflow.api.state]
options:
  key:
    description: Its key.
    type: str
    required: true
  value:
    description: Its value. What is no text is written as JSON. Required with O(state=present).
    type: raw
  description:
    description: What it is for.
    type: str
"""

EXAMPLES = r"""
- name: Keep a variable that a DAG reads as JSON
  flightdeck.airflow.variable:
    url: https://airflow.example.org
    api_username: admin
    api_password: "{{ airflow_password }}"
    key: regions
    value:
      emea: [de, fr]
      apac: [jp]
  delegate_to: localhost
"""

RETURN = r"""
changes:
  description: What changed, or would change.
  type: list
  elements: dict
  returned: success
  sample: [{kind: variable, name: regions, action: created}]
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
    _object_module.run_single("variable")


if __name__ == "__main__":
    main()
