#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: status_report
short_description: Print the state of the whole cluster as one table
version_added: 0.1.0
description:
  - Collects what M(flightdeck.airflow.node_info) registered on each host, adds Airflow's own health page through the
    load balancer and the rows given, prints a table, and fails with a sentence that names everything that is wrong.
  - Runs on the controller and needs no connection to any host. Use it with C(run_once).
  - A host that could not be reached is a line of the table. A host that was left out by C(--limit) is named in the
    result.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  from_hosts:
    description: Name of the variable that the M(flightdeck.airflow.node_info) task registered.
    type: str
    required: true
  rows:
    description: More lines, for example those of M(flightdeck.airflow.canary).
    type: list
    elements: dict
    default: []
  format:
    description:
      - What is printed, a table (V(text)) or the report as one line of JSON (V(json)).
      - Of Ansible's own output nothing is left with C(ANSIBLE_STDOUT_CALLBACK=community.general.null).
    type: str
    choices: [text, json]
    default: text
  must_be_good:
    description: Whether something that is wrong fails the task.
    type: bool
    default: true
  file:
    description: File on the controller that gets the report as JSON, also when something is wrong. Empty for none.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Look at the services
  flightdeck.airflow.node_info:
    node: "{{ airflow_cluster.nodes[inventory_hostname] }}"
    major: "{{ airflow_cluster.version.major }}"
  register: node_info

- name: Print the state of the cluster
  flightdeck.airflow.status_report:
    from_hosts: node_info
  run_once: true
"""

RETURN = r"""
rows:
  description:
    - All lines of the table, with C(component), C(host), C(state) and C(detail).
    - C(data) has what a line says in a form for programs.
  type: list
  elements: dict
  returned: when nothing is wrong
"""
