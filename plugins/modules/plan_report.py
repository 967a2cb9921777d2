#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plan_report
short_description: Print what flightdeck.airflow.site would change
version_added: 0.1.0
description:
  - Prints what the callback P(flightdeck.airflow.plan#callback) has collected in this run, by host, with the units that
    would restart and the interruption to expect of each.
  - Runs on the controller and needs no connection to any host. Use it with C(run_once), in the last play.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  file:
    description: File on the controller that gets the plan as JSON. Empty for none.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Print the plan
  flightdeck.airflow.plan_report:
    file: plan.json
  run_once: true
"""

RETURN = r"""
changes:
  description: How many tasks would change something.
  type: int
  returned: success
"""
