#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Join a node to its RabbitMQ cluster, and restart it without taking a queue its quorum."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rabbitmq_node
short_description: Run one node of a RabbitMQ cluster
version_added: 0.1.0
description:
  - Runs C(rabbitmq-server.service) by the rule of M(flightdeck.airflow.service), and does what a node of a cluster
    needs besides. Everything is one execution, through the management API on the loopback address. An unchanged node
    costs no call of C(rabbitmqctl).
  - With O(state=started), a node without data waits for the seed before its first start. The seed itself starts
    without data only when no other node can be reached. At the end the node serves, it is in the cluster of the seed,
    and the default user C(guest) does not exist.
  - With O(state=restarted), a node that needs a restart waits until all members run and no queue would lose its
    quorum, hands its leaders over, restarts, and waits until it serves. Throttle this to one node at a time.
  - With O(state=drained), it waits like that and hands its leaders over, for an update that restarts it. It takes no
    clients until then.
author: Flightdeck contributors (@flightdeck)
attributes:
  check_mode:
    support: full
    description: Reports the actions and takes none. A node that is not installed yet counts as one to start.
  diff_mode:
    support: full
    description: Shows the actions.
options:
  state:
    description: V(started) does not restart a running node, it only reports RV(stale).
    type: str
    choices: [started, restarted, drained]
    default: started
  always:
    description: With O(state=restarted), restart a node that was drained before, whatever its settings are.
    type: bool
    default: false
  node: {description: Name of this node., type: str, required: true}
  nodes: {description: Names of all nodes of the cluster., type: list, elements: str, required: true}
  seed_node: {description: Name of the node that forms the cluster., type: str, required: true}
  seed_address: {description: Address of the seed., type: str, required: true}
  port: {description: AMQP port of every node., type: int, required: true}
  management_port: {description: Port of the management API., type: int, required: true}
  admin_user: {description: User of the management API., type: str, required: true}
  admin_password: {description: Password of O(admin_user)., type: str, required: true}
  restart_on:
    description: Files whose change needs a restart.
    type: list
    elements: path
    default: []
  reload_on:
    description: Files that a reload of the unit reads, such as the definitions and the certificate.
    type: list
    elements: path
    default: []
  pending:
    description: In check mode, files that tasks before would have changed.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Run the node
  flightdeck.airflow.rabbitmq_node:
    node: rabbit@mq2
    nodes: [rabbit@mq1, rabbit@mq2, rabbit@mq3]
    seed_node: rabbit@mq1
    seed_address: 192.0.2.41
    port: 5672
    management_port: 15672
    admin_user: admin
    admin_password: "{{ airflow_secrets.rabbitmq_admin_password }}"
    restart_on: [/etc/rabbitmq/rabbitmq.conf]
    reload_on: [/etc/rabbitmq/definitions.json]
"""

RETURN = r"""
actions:
  description: What was, or in check mode would be, done.
  type: list
  elements: str
  returned: always
stale:
  description: The unit, when its process was started with other settings than those on disk and was not restarted.
  type: list
  elements: str
  returned: always
"""

import os
import socket
import time
from collections.abc import Callable

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _rabbitmq_api, _service, _systemd

UNIT = "rabbitmq-server.service"
DATA = "/var/lib/rabbitmq/mnesia"
SCHEMA = "schema.DAT"
POLL_SECONDS = 2.0
# Bound of each wait: for the seed, for a cluster in which the node may stop, and for the node after a start.
WAIT_SECONDS = 600


class Node:
    """One run of the module."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.p = module.params
        self.services = _service.Services(module)
        self.api = _rabbitmq_api.Api(self.p["management_port"], self.p["admin_user"], self.p["admin_password"])

    def definition(self) -> _service.Definition:
        """What the process of the node reads."""
        return _service.Definition(
            restart_on=self.p["restart_on"], reload_on=self.p["reload_on"], pending=self.p["pending"]
        )

    def fail(self, message: str) -> None:
        """Fail the module with what was done so far."""
        self.services.fail(f"{self.p['node']}: {message}")

    def wait(self, what: str, problem: Callable[[], str | None]) -> None:
        """Poll ``problem`` until it returns None; fail with its last text after the bound."""
        if self.module.check_mode:
            return
        deadline = time.monotonic() + WAIT_SECONDS
        while found := problem():
            if time.monotonic() > deadline:
                self.fail(f"waited {WAIT_SECONDS} s for {what}; {found}")
            time.sleep(POLL_SECONDS)

    def started(self) -> bool:
        """Have the node run as a member of the cluster; whether it needs a restart.

        Raises OSError and UnreachableError.
        """
        state = self.services.states([UNIT])[UNIT]
        if state.found and (problem := self.resolution_problem()):
            self.fail(problem)
        if state.found and not state.active and not self.module.check_mode and not self.has_data():
            self.prepare_first_start()
        stale = self.services.run(UNIT, self.definition(), restart=False)
        if not stale:
            self.wait_for_member()
            # In check mode before the first start, no node answers.
            if state.active or not self.module.check_mode:
                self.delete_default_user()
        return stale

    def restarted(self) -> bool:
        """Restart the node if it needs that, when no queue loses its quorum. Raises OSError and UnreachableError."""
        _state, lacking = self.services.define(UNIT, self.definition(), self.services.states([UNIT])[UNIT])
        if self.p["always"]:
            self.services.act("restart", UNIT)
        elif _systemd.RESTART in lacking:
            self.drained()
            self.services.act("restart", UNIT)
        self.wait_for_member()
        return False

    def drained(self) -> bool:
        """Have the node hand over what it leads, when no queue loses its quorum without it."""
        self.wait("a cluster in which this node may stop", self.stop_problem)
        if len(self.p["nodes"]) > 1:
            self.drain()
        return False

    def has_data(self) -> bool:
        """Whether the node was started before."""
        return os.path.exists(os.path.join(DATA, self.p["node"], SCHEMA))

    def prepare_first_start(self) -> None:
        """Let a node without data wait for the seed; fail when it is the seed of a new cluster and there is one
        already."""
        if self.p["node"] != self.p["seed_node"]:
            self.wait(f"the seed {self.p['seed_node']} before the first start", self.seed_problem)
        elif others := self.others_serving():
            self.fail(
                f"it has no data and would begin a new cluster, but {', '.join(others)} can be reached; run "
                "without --limit"
            )

    def wait_for_member(self) -> None:
        """Return when the node serves and is in the cluster of the seed."""
        self.wait("the node to serve", self.serving_problem)
        self.wait("the node to be in the cluster", self.membership_problem)

    def drain(self) -> None:
        """Hand the leaders of this node's queues over to other nodes."""
        self.services.actions.append(f"drain {self.p['node']}")
        if self.module.check_mode:
            return
        code, out, err = self.module.run_command(["rabbitmq-upgrade", "--quiet", "drain"])
        if code:
            self.fail(f"rabbitmq-upgrade drain failed: {(err or out).strip()}")

    def delete_default_user(self) -> None:
        """Delete the user that a node has which was started before its configuration was there.

        Raises UnreachableError.
        """
        if self.api.call("users/guest")[0] != 200:
            return
        self.services.actions.append("delete user guest")
        if not self.module.check_mode:
            self.api.call("users/guest", "DELETE")

    def resolution_problem(self) -> str | None:
        """Which peers have no address on this host; None when each has one."""
        missing = []
        for host in sorted({name.partition("@")[2] for name in self.p["nodes"]}):
            try:
                socket.getaddrinfo(host, None)
            except OSError:
                missing.append(host)
        return (
            f"{', '.join(missing)} cannot be resolved on this host; use DNS or set airflow_manage_hosts_file: true"
            if missing
            else None
        )

    def seed_problem(self) -> str | None:
        """Why the seed cannot be joined yet; None when it can."""
        try:
            socket.create_connection((self.p["seed_address"], self.p["port"]), timeout=5).close()
        except OSError as error:
            return (
                f"{self.p['seed_address']}:{self.p['port']} says: {error}. Is {self.p['seed_node']} part of this run?"
            )
        return None

    def others_serving(self) -> list[str]:
        """The other nodes whose AMQP port is open."""
        found = []
        for name in self.p["nodes"]:
            try:
                if name != self.p["node"]:
                    socket.create_connection((name.partition("@")[2], self.p["port"]), timeout=5).close()
                    found.append(name)
            except OSError:
                continue
        return found

    def serving_problem(self) -> str | None:
        """Why the node does not serve; None when it serves."""
        try:
            status, _body = self.api.call("whoami")
            if status == 401:
                # The password was changed by hand or comes from a backup. The file has the right one.
                self.services.act("reload", UNIT)
                return "the management API refuses the admin password"
            return self.api.health_problem(f"port-listener/{self.p['port']}") or self.api.health_problem(
                "virtual-hosts"
            )
        except _rabbitmq_api.UnreachableError as error:
            return str(error)

    def stop_problem(self) -> str | None:
        """Why stopping this node now would do harm; None when it may stop."""
        try:
            status, members = self.api.call("nodes")
            if status != 200:
                return f"the management API answers {status}"
            if len(members) < 2:
                return None
            if down := _rabbitmq_api.stopped(members):
                return f"not running: {', '.join(sorted(down))}"
            if split := _rabbitmq_api.partitioned(members):
                return f"in a network partition: {', '.join(sorted(split))}"
            return self.api.health_problem("alarms") or self.api.health_problem("node-is-quorum-critical")
        except _rabbitmq_api.UnreachableError as error:
            return str(error)

    def membership_problem(self) -> str | None:
        """Why this node is not in the seed's cluster; None when it is a member."""
        try:
            status, members = self.api.call("nodes")
        except _rabbitmq_api.UnreachableError as error:
            return str(error)
        if status != 200:
            return f"the management API answers {status}"
        names = {member["name"] for member in members}
        if unknown := names - set(self.p["nodes"]):
            return (
                f"member but not in the inventory: {', '.join(sorted(unknown))}; remove with rabbitmqctl "
                "forget_cluster_node"
            )
        if self.p["seed_node"] not in names:
            return (
                f"it runs in a cluster of its own ({', '.join(sorted(names))}) without the seed {self.p['seed_node']}; "
                f"if it holds no data, stop it, empty {DATA} and run again"
            )
        if self.p["node"] not in _rabbitmq_api.running(members):
            return "it is a member but does not run"
        return None


def main() -> None:
    """Entry point."""
    text = {"type": "str", "required": True}
    paths = {"type": "list", "elements": "path", "default": []}
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "restarted", "drained"], "default": "started"},
            "always": {"type": "bool", "default": False},
            "node": text,
            "nodes": {"type": "list", "elements": "str", "required": True},
            "seed_node": text,
            "seed_address": text,
            "port": {"type": "int", "required": True},
            "management_port": {"type": "int", "required": True},
            "admin_user": text,
            "admin_password": {**text, "no_log": True},
            "restart_on": paths,
            "reload_on": paths,
            "pending": paths,
        },
        supports_check_mode=True,
    )
    node = Node(module)
    services = node.services
    stale = False
    try:
        stale = {"started": node.started, "restarted": node.restarted, "drained": node.drained}[
            module.params["state"]
        ]()
    except (OSError, _rabbitmq_api.UnreachableError) as error:
        node.fail(str(error))
    acted = {"before": "", "after": "".join(f"{action}\n" for action in services.actions)}
    module.exit_json(
        changed=bool(services.change.paths or services.actions or stale),
        actions=services.actions,
        stale=[UNIT] if stale else [],
        diff=[*services.change.diff, acted],
    )


if __name__ == "__main__":
    main()
