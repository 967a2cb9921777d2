#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: update_check
short_description: Check updates of packages before the first host gets any
version_added: 0.2.0
description:
  - Fails when RabbitMQ or etcd would take a step between versions that upstream does not support, when apt would remove
    packages, when a member of a tier or a service does not work, and, with O(everything), when nothing else does what a
    host does.
  - Returns what each host gets and the order of the hosts.
  - Runs on the controller. Reads C(airflow_cluster), the facts of M(flightdeck.airflow.preflight_facts), and what the
    entry points C(members) of the roles C(etcd), C(rabbitmq) and C(metastore) set.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  hosts:
    description: Inventory names of the only hosts to update. None means all.
    type: list
    elements: str
    default: []
  from_updates:
    description: Name of the variable that the results of M(flightdeck.airflow.package_updates) were registered in.
    type: str
    required: true
  from_status:
    description: Name of the variable that the results of M(flightdeck.airflow.node_info) were registered in.
    type: str
    required: true
  everything:
    description: Whether hosts get all updates of their packages, and are drained for that.
    type: bool
    default: false
  confirmed:
    description: Whether the operator wants to do without what a host does. Then that is a warning.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Check the updates before the first host gets any
  flightdeck.airflow.update_check:
    from_updates: updates
    from_status: status
  run_once: true
  register: update
"""

RETURN = r"""
order:
  description: The hosts that have something to do, one after the other.
  type: list
  elements: str
  returned: always
work:
  description: By host, what is to be done.
  type: dict
  returned: always
  contains:
    packages: {description: What apt is asked to install, type: list, elements: str}
    services: {description: Backing services that restart., type: list, elements: str}
    drain: {description: Whether its part of Airflow stops for that., type: bool}
    resumes: {description: Whether an interrupted update may have left services of it down., type: bool}
lines:
  description: What each host gets, for people.
  type: list
  elements: str
  returned: always
"""
