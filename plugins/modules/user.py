#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Keep a user in any Airflow, by its REST API."""

from __future__ import annotations

DOCUMENTATION = r"""
module: user
short_description: Keep a user
version_added: 0.1.0
description:
  - Creates, changes or deletes a user of Airflow's own auth manager, FAB, in Airflow 2.11 or 3.
  - A password is compared by a login with it, or with the hash in the database (O(metastore_url)). Where it differs, it
    is set.
  - Without O(metastore_url), the password of an inactive account is set each time; so is, in Airflow 2.11, that
    of one that may see no DAG.
  - Users and roles are those of FAB. Other auth managers keep them elsewhere.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: [flightdeck.airflow.api, flightdeck.airflow.api.state]
options:
  username:
    description: Name to log in with.
    type: str
    required: true
  email:
    description: Address, which no other user has. Required with O(state=present).
    type: str
  first_name:
    description: First name. Required with O(state=present).
    type: str
  last_name:
    description: Last name. Required with O(state=present).
    type: str
  roles:
    description: Names of roles that exist. Required with O(state=present).
    type: list
    elements: str
  password:
    description: Password. Without one, a user keeps theirs, and a new one gets a random one, for a login by
      LDAP or OpenID Connect.
    type: str
"""

EXAMPLES = r"""
- name: Keep a user
  flightdeck.airflow.user:
    url: https://airflow.example.org
    api_username: admin
    api_password: "{{ airflow_password }}"
    username: jane
    email: jane@example.org
    first_name: Jane
    last_name: Doe
    roles: [Op]
    password: "{{ jane_password }}"
  delegate_to: localhost
"""

RETURN = r"""
changes:
  description: What changed, or would change.
  type: list
  elements: dict
  returned: success
  sample: [{kind: user, name: jane, action: created}]
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
    _object_module.run_single("user")


if __name__ == "__main__":
    main()
