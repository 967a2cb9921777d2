# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin preflight."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Check what was found on all hosts before anything changes
version_added: 0.1.0
description:
  - Runs on the controller, after M(flightdeck.airflow.preflight_facts) ran on every host. Fails with all problems of
    all hosts.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  facts:
    description: Name of the variable that the results of M(flightdeck.airflow.preflight_facts) were registered in.
    type: str
    required: true
  deploy:
    description:
      - Whether the play deploys. Otherwise only what makes every playbook wrong is checked (reach, root, system,
        another cluster), not what a new service needs, so that Airflow can be stopped on a full disk.
    type: bool
    default: false
  version_change:
    description: What the play does to the version of Airflow that the hosts run. A deployment changes none.
    type: str
    choices: [none, upgrade, rollback]
    default: none
"""

EXAMPLES = r"""
- name: Check the hosts before anything changes
  flightdeck.airflow.preflight:
    facts: preflight_facts
    deploy: true
  run_once: true
"""

RETURN = r"""
ansible_facts:
  description:
    - flightdeck_postgresql_origins, the hosts that had a PostgreSQL server's data directory before anything changed.
    - flightdeck_survey, by tier with several members (etcd, rabbitmq, metastore) whether none of them has data (new),
      the hosts with data (origins), those without where others have some (empty), as what the others still count them
      (lost), those of which too few others say whether they count on them (unknown), those to announce to etcd
      (joining), and the host to ask (source).
  type: dict
  returned: when there is no problem
"""
