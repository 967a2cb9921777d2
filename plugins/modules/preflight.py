# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Documentation of the action plugin preflight."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Check the facts of all hosts before anything changes
version_added: 0.1.0
description:
  - Runs on the controller, after facts were gathered and the cluster model was computed. Fails with all problems of all hosts.
author: Flightdeck contributors (@flightdeck)
attributes:
  check_mode:
    support: full
    description: Changes nothing in any mode.
  diff_mode:
    support: none
    description: Changes nothing.
options: {}
"""

EXAMPLES = r"""
- name: Check the hosts before anything changes
  flightdeck.airflow.preflight:
  run_once: true
"""

RETURN = r""" # """
