#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Add a node's copies of the quorum queues of its cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rabbitmq_queues
short_description: Add a node's copies of the quorum queues of its cluster
version_added: 0.1.0
description:
  - A node that joins a RabbitMQ cluster gets no copy of the queues that are there. This module adds one of each
    quorum queue.
author: Flightdeck contributors (@flightdeck)
attributes:
  check_mode:
    support: full
    description: Reports whether copies would be added.
  diff_mode:
    support: none
    description: Queues have no text to compare.
options:
  node: {description: Name of this node., type: str, required: true}
  vhost: {description: Virtual host of the queues., type: str, required: true}
  management_port: {description: Port of the management API., type: int, required: true}
  admin_user: {description: User of the management API., type: str, required: true}
  admin_password: {description: Password of O(admin_user)., type: str, required: true}
"""

EXAMPLES = r"""
- name: Add copies of the quorum queues
  flightdeck.airflow.rabbitmq_queues:
    node: rabbit@mq2
    vhost: airflow
    management_port: 15672
    admin_user: admin
    admin_password: "{{ airflow_secrets.rabbitmq_admin_password }}"
"""

RETURN = r"""
queues:
  description: The queues that had no copy on this node.
  type: list
  elements: str
  returned: always
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _rabbitmq_api

POLL_SECONDS = 2.0
# Bound of the wait until every queue has its copy.
WAIT_SECONDS = 600


def lacking(api: _rabbitmq_api.Api, vhost: str, node: str) -> list[str]:
    """Quorum queues without a copy on ``node``; none as long as there is no such virtual host.

    Raises UnreachableError.
    """
    status, queues = api.call(_rabbitmq_api.queues_path(vhost))
    return _rabbitmq_api.without_replica(queues, node) if status == 200 else []


def grow(module: AnsibleModule, api: _rabbitmq_api.Api, vhost: str, node: str) -> None:
    """Add copies until no queue lacks one. Raises UnreachableError."""
    deadline = time.monotonic() + WAIT_SECONDS
    while found := lacking(api, vhost, node):
        if time.monotonic() > deadline:
            module.fail_json(
                msg=f"{node}: waited {WAIT_SECONDS} s; {len(found)} quorum queues have no copy here, the first is "
                f"{found[0]}"
            )
        # Two nodes that join at once disturb each other: what failed is found, and tried again, in the next round.
        module.run_command(["rabbitmq-queues", "--quiet", "grow", node, "all"])
        time.sleep(POLL_SECONDS)


def main() -> None:
    """Entry point."""
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "node": text,
            "vhost": text,
            "management_port": {"type": "int", "required": True},
            "admin_user": text,
            "admin_password": {**text, "no_log": True},
        },
        supports_check_mode=True,
    )
    node, vhost = module.params["node"], module.params["vhost"]
    api = _rabbitmq_api.Api(
        module.params["management_port"], module.params["admin_user"], module.params["admin_password"]
    )
    found: list[str] = []
    try:
        found = lacking(api, vhost, node)
        if found and not module.check_mode:
            grow(module, api, vhost, node)
    except _rabbitmq_api.UnreachableError as error:
        # In check mode the node may be one that is going to be started.
        if not module.check_mode:
            module.fail_json(msg=f"{node}: {error}")
    module.exit_json(changed=bool(found), queues=found)


if __name__ == "__main__":
    main()
