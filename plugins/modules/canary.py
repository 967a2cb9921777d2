#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: canary
short_description: Run a task on every worker of every queue through the load balancer
version_added: 0.1.0
description:
  - Logs in to Airflow at the URL that users open, triggers the DAG C(flightdeck_canary), follows it, and checks that
    each worker of each queue of the inventory ran at least one task whose log can be read through the API.
  - When a worker got none, it tries again with more tasks, three times in all.
  - Old runs of its own are deleted, the last 20 stay.
  - Runs on the controller, reads C(airflow_cluster) and C(airflow_secrets), which the playbook
    C(flightdeck.airflow.phases.model) sets, and needs no connection to any host. Use it with C(run_once).
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
attributes:
  check_mode:
    support: none
    description: Does nothing in check mode.
options:
  timeout_seconds:
    description: Seconds for all of it. The cluster's C(airflow_verify_timeout_seconds) when left out.
    type: int
"""

EXAMPLES = r"""
- name: Run a task on every worker
  flightdeck.airflow.canary:
  run_once: true
  register: canary
"""

RETURN = r"""
rows:
  description: One line per queue and worker for M(flightdeck.airflow.status_report); a finding has C(state=failed).
  type: list
  elements: dict
  returned: always
"""
