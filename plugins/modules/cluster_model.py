# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Documentation of the action plugin cluster_model."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_model
short_description: Validate the inventory and compute the cluster model
version_added: 0.1.0
description:
  - Runs on the controller only. Reads the inventory groups and every variable that begins with C(airflow_), reports all
    problems at once, and returns the model, from which all roles of this collection read.
  - Uses neither facts nor secrets of any host, so it works under C(--limit) and before the first connection.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options: {}
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
"""
