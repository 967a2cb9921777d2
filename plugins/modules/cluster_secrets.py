# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Documentation of the action plugin cluster_secrets."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_secrets
short_description: Make the secrets of a cluster once and keep them in the inventory
version_added: 0.1.0
description:
  - Runs on the controller only. Takes every secret from the variable C(airflow_<name>) where one is set; makes the
    others and adds them to O(path), encrypted when Ansible has a vault password, else with mode 0600 and a
    C(.gitignore) beside it.
  - A secret that exists is never made again. Use C(no_log) on the task, because it returns the values.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.secrets
options:
  path:
    description: File on the controller, inside the inventory's C(group_vars/all), so that later runs read it as
      variables.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Create missing secrets
  flightdeck.airflow.cluster_secrets:
    path: "{{ inventory_dir }}/group_vars/all/airflow_secrets.yml"
  run_once: true
  no_log: true
"""

RETURN = r"""
secrets:
  description: The values by name, which become the variable C(airflow_secrets).
  type: dict
  returned: success
"""
