#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drain_check
short_description: Check that the rest of the cluster can do without hosts
version_added: 0.2.0
description:
  - Without O(from_hosts), fails when an O(hosts) entry cannot be drained. With it, fails when one of its components, or
    a queue of its worker, would have no other host that works and is not drained.
  - Runs on the controller. Reads C(airflow_cluster), and the facts of M(flightdeck.airflow.preflight_facts).
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  hosts:
    description: Inventory names of the hosts that leave.
    type: list
    elements: str
    required: true
  from_hosts:
    description: Name of the variable that the results of M(flightdeck.airflow.node_info) were registered in.
    type: str
    default: ""
  running:
    description: Tasks that run, as M(flightdeck.airflow.unfinished_tasks_info) returns them; prints those of the hosts.
    type: list
    elements: dict
    default: []
  confirmed:
    description: Whether the operator wants to do without. Then this is a warning.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Check what is left without a worker
  flightdeck.airflow.drain_check:
    hosts: [worker2]
    from_hosts: status
  run_once: true
"""

RETURN = r"""{}"""
