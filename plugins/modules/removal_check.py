#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: removal_check
short_description: Check that tiers with several members can do without hosts
version_added: 0.2.0
description:
  - Fails when etcd, RabbitMQ or one of its queues would have no majority without the hosts, when a queue has copies
    on them alone, when the metastore would have no second copy, and when one of them leads it.
  - Runs on the controller. Reads C(airflow_cluster), the model of the hosts that stay, C(airflow_whole_cluster), that
    of all, and what the entry points C(members) of the roles C(etcd), C(rabbitmq) and C(metastore) set on a host that
    stays.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  hosts:
    description: Inventory names of the hosts that leave for good.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Check that the other members can do without the host
  flightdeck.airflow.removal_check:
    hosts: [db3]
  run_once: true
"""

RETURN = r"""{}"""
