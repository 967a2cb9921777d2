# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin rotate_secrets."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rotate_secrets
short_description: Make new secrets for a cluster that has some
version_added: 0.1.0
description:
  - Runs on the controller only and changes O(path), the file of M(flightdeck.airflow.cluster_secrets). Hosts get the
    new values from the roles.
  - A password of PostgreSQL or RabbitMQ that Airflow uses goes to the second of two users; the next rotation goes back
    to the first. So both work until all clients use the new one.
  - A Fernet key takes three steps, V(begin), V(use_fernet_key) and V(drop_fernet_key), with all hosts brought up to
    date after each. An interrupted rotation is continued by the same steps.
  - The key of the tokens is on its way from V(begin) to V(finish_jwt_secret), for which every webserver must have it. A
    later run knows by that whether webservers may still have different keys.
  - Secrets that the inventory sets itself are refused. Use C(no_log) on the task, because it returns the values.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.secrets
options:
  path:
    description: File on the controller that keeps the secrets.
    type: path
    required: true
  secrets:
    description: The secrets of this run so far, the variable C(airflow_secrets).
    type: dict
    required: true
  step:
    description: What to do. V(check) changes nothing.
    type: str
    choices: [check, begin, finish_jwt_secret, use_fernet_key, drop_fernet_key]
    required: true
  names:
    description: Secrets that this run rotates, without the prefix C(airflow_). V(begin) replaces them.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Make new secrets
  flightdeck.airflow.rotate_secrets:
    path: "{{ airflow_secrets_file }}"
    secrets: "{{ airflow_secrets }}"
    step: begin
    names: [metastore_password]
  run_once: true
  no_log: true
"""

RETURN = r"""
secrets:
  description: The values by name, which become the variable C(airflow_secrets).
  type: dict
  returned: when O(step) is not V(check)
rotating:
  description: Which of the secrets that take more than a deployment are being rotated, the keys of an interrupted run
    included.
  type: list
  elements: str
  returned: success
"""
