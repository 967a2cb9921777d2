# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin cluster_model."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_model
short_description: Validate the inventory and compute the cluster model
version_added: 0.1.0
description:
  - Runs on the controller only. Reads the inventory groups and every variable that begins with C(airflow_), reports all
    problems at once, and returns the model, from which all roles of this collection read.
  - Reads the variables of the cluster's own hosts, those of the play and the secrets file, whichever host the task runs
    on.
  - Uses no facts, so it works under C(--limit) and before the first connection.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  writes:
    description: Whether to move a secrets file from C(group_vars/all), where earlier versions put it. Never in check
      mode.
    type: bool
    default: false
  without:
    description: Hosts that leave the cluster. The model is that of the others.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Validate the inventory and compute the cluster model
  flightdeck.airflow.cluster_model:
  run_once: true
"""

RETURN = r"""
cluster:
  description: The model, which becomes the variable C(airflow_cluster). It holds no secret.
  type: dict
  returned: success
identity:
  description: What the cluster is known by, for M(flightdeck.airflow.cluster_secrets) and
    M(flightdeck.airflow.cluster_certificates).
  type: dict
  returned: success
identity_without:
  description: The same without the hosts in O(without).
  type: dict
  returned: success
controller:
  description: Settings that only tasks on the controller read, such as the paths of files there.
  type: dict
  returned: success
whole:
  description: The model of all hosts of the inventory, those in O(without) too. It holds no secret.
  type: dict
  returned: success
summary:
  description: One line that says what is valid.
  type: str
  returned: success
"""
