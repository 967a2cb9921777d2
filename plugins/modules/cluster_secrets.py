# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin cluster_secrets."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_secrets
short_description: Create the secrets of a cluster once and store them on the controller
version_added: 0.1.0
description:
  - Runs on the controller only. Takes every secret from the variable C(airflow_<name>) of the cluster's hosts where one
    is set, else from O(path). Creates the others and adds them to O(path), encrypted when Ansible has a vault password,
    else with mode 0600 and a C(.gitignore) beside it.
  - A secret that exists is never made again. Use C(no_log) on the task, because it returns the values.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.secrets
options:
  path:
    description: File on the controller that holds the secrets.
    type: path
    required: true
  identity:
    description: Which cluster it is, as M(flightdeck.airflow.cluster_model) returns it. A file of another cluster is
      refused.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Create missing secrets
  flightdeck.airflow.cluster_secrets:
    path: "{{ model.controller.secrets_file }}"
    identity: "{{ model.identity }}"
  run_once: true
  no_log: true
"""

RETURN = r"""
secrets:
  description: The values by name, which become the variable C(airflow_secrets).
  type: dict
  returned: success
encrypted:
  description: Whether O(path) is encrypted, or does not exist.
  type: bool
  returned: success
"""
