#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dags_listed
short_description: Wait until Airflow lists the DAGs of a new revision
version_added: 0.2.0
description:
  - Logs in to Airflow at the URL that users open, waits until it lists the DAGs that were added and no longer those
    that were removed, and returns import errors of the DAG files.
  - Runs on the controller, reads C(airflow_cluster) and C(airflow_secrets), which the playbook
    C(flightdeck.airflow.phases.model) sets, and needs no connection to any host. Use it with C(run_once).
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
attributes:
  check_mode:
    support: none
    description: Does nothing in check mode.
options:
  added:
    description: DAGs to wait for.
    type: list
    elements: str
    default: []
  removed:
    description: DAGs to wait for until they are gone.
    type: list
    elements: str
    default: []
  known_errors:
    description: Files whose import errors were there before.
    type: list
    elements: str
    default: []
  path:
    description: Directory of the DAG files on the hosts.
    type: path
    required: true
  bundle:
    description: Name of its bundle; empty on Airflow 2.
    type: str
    default: ""
  timeout_seconds:
    description: Seconds for all of it.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Wait until Airflow lists the new DAG
  flightdeck.airflow.dags_listed:
    added: [sales]
    path: /var/lib/airflow/dags/current
    bundle: dags-folder
  run_once: true
"""

RETURN = r"""
problem:
  description: What is wrong, in words; empty for nothing.
  type: str
  returned: always
"""
