#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: message
short_description: Print lines that every run shows
version_added: 0.1.0
description:
  - Prints what an operator has to read at the end of a playbook. M(ansible.builtin.debug) is hidden when Ansible's
    default callback shows no tasks without a change (C(display_ok_hosts)).
  - Runs on the controller and needs no connection to any host. Use it with C(run_once).
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  lines:
    description: What to print. No secret belongs here.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Print how to reach the cluster
  flightdeck.airflow.message:
    lines:
      - "UI {{ airflow_cluster.url }}"
  run_once: true
"""

RETURN = r"""{}"""
