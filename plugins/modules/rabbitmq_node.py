#!/usr/bin/python
# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Run one node of a RabbitMQ cluster with the settings that are on disk."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rabbitmq_node
short_description: Run one node of a RabbitMQ cluster
version_added: 0.1.0
description:
  - Starts the node, lets a node without data wait for the seed before its first start (the seed itself starts only when no other node can
    be reached), loads changed definitions without a restart, adds the node's copies of existing quorum queues, and proves that the node
    is in the seed's cluster. Everything in one execution, through the management API on the loopback address; an unchanged node costs no
    call of C(rabbitmqctl).
  - A restart is a second execution with O(state=restarted), to be throttled to one node at a time. It first waits until all members
    run and no queue would lose its quorum, moves the leaders away, and returns when the node serves again.
  - A needed restart is found by comparing the files with the start of the process, so it survives an interrupted run.
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
    description: V(started) never restarts a running node, it only reports RV(restart_needed).
    type: str
    choices: [started, restarted]
    default: started
  node: {description: Name of this node., type: str, required: true}
  nodes: {description: Names of all nodes of the cluster., type: list, elements: str, required: true}
  seed_node: {description: Name of the node that forms the cluster., type: str, required: true}
  seed_address: {description: Address of the seed., type: str, required: true}
  port: {description: AMQP port of every node., type: int, required: true}
  management_port: {description: Port of the management API., type: int, required: true}
  admin_user: {description: User of the management API., type: str, required: true}
  admin_password: {description: Password of O(admin_user)., type: str, required: true}
  vhost: {description: Virtual host whose quorum queues get a copy on each node., type: str, required: true}
  cookie:
    description:
      - The Erlang cookie. A running node takes another one at once and keeps its connections; give it to all nodes in the same run, because
        new connections between nodes need the same cookie on both sides.
    type: str
    required: true
  definitions: {description: Definitions file of the node., type: path, required: true}
  certificate:
    description: The node's certificate; a newer one is read without a restart. Empty without TLS.
    type: path
    default: ''
  restart_on:
    description: Files whose change takes a restart.
    type: list
    elements: path
    default: []
  absent_users:
    description: Users to delete when they exist.
    type: list
    elements: str
    default: [guest]
  timeout_seconds:
    description: Bound of each wait, for the seed, for health before a restart and for the node after a start.
    type: int
    default: 600
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
    vhost: airflow
    cookie: "{{ airflow_secrets.rabbitmq_cookie }}"
    definitions: /etc/rabbitmq/definitions.json
"""

RETURN = r"""
actions:
  description: What was, or in check mode would be, done.
  type: list
  elements: str
  returned: always
restart_needed:
  description: Whether the running process is older than one of its files.
  type: bool
  returned: always
causes:
  description: The files that are newer than the process.
  type: list
  elements: str
  returned: always
"""

import os
import pwd
import socket
import time
from collections.abc import Callable

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _rabbitmq_api, _service_state

UNIT = "rabbitmq-server.service"
DATA = "/var/lib/rabbitmq/mnesia"
SCHEMA = "schema.DAT"
STAMP = "/var/lib/rabbitmq/.airflow-definitions-loaded"
CERTIFICATE_STAMP = "/var/lib/rabbitmq/.airflow-certificate-read"
COOKIE = "/var/lib/rabbitmq/.erlang.cookie"
POLL_SECONDS = 2.0


class Node:
    """One run of the module."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.p = module.params
        self.actions: list[str] = []
        self.causes: list[str] = []
        self.api = _rabbitmq_api.Api(self.p["management_port"], self.p["admin_user"], self.p["admin_password"])

    def act(self, text: str, *command: str) -> bool:
        """Note an action; run its command unless in check mode. True when it was run."""
        self.actions.append(text)
        if self.module.check_mode:
            return False
        code, out, err = self.module.run_command(list(command))
        if code:
            self.fail(f"{' '.join(command)} failed: {(err or out).strip()}")
        return True

    def fail(self, message: str) -> None:
        """Fail the module with what was done so far."""
        self.module.fail_json(msg=f"{self.p['node']}: {message}", actions=self.actions, causes=self.causes)

    def wait(self, what: str, problem: Callable[[], str]) -> None:
        """Poll ``problem`` until it returns an empty text; fail with its last text after the bound."""
        deadline = time.monotonic() + self.p["timeout_seconds"]
        while found := problem():
            if time.monotonic() > deadline:
                self.fail(f"waited {self.p['timeout_seconds']} s for {what}; {found}")
            time.sleep(POLL_SECONDS)

    def unit(self) -> _service_state.Unit:
        """State of the service now."""
        return _service_state.parse(self.module.run_command(_service_state.show_command(UNIT), check_rc=True)[1])

    def unresolvable(self) -> str:
        """Which peers have no address here, or empty."""
        hosts = {name.partition("@")[2] for name in self.p["nodes"]}
        missing = []
        for host in sorted(hosts):
            try:
                socket.getaddrinfo(host, None)
            except OSError:
                missing.append(host)
        return f"{', '.join(missing)} cannot be resolved on this host; use DNS or set airflow_manage_hosts_file: true" if missing else ""

    def seed_closed(self) -> str:
        """Why the seed cannot be joined yet, or empty."""
        try:
            socket.create_connection((self.p["seed_address"], self.p["port"]), timeout=5).close()
        except OSError as error:
            return f"{self.p['seed_address']}:{self.p['port']} says: {error}. Is {self.p['seed_node']} part of this run?"
        return ""

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

    def not_serving(self) -> str:
        """Why the node does not serve, or empty."""
        try:
            status, _ = self.api.call("whoami")
            if status == 401:
                # The definitions of an earlier password are still in force; loading the file is the cure.
                self.load_definitions()
                return "the management API refuses the admin password"
            return self.api.healthy(f"port-listener/{self.p['port']}") or self.api.healthy("virtual-hosts")
        except _rabbitmq_api.UnreachableError as error:
            return str(error)

    def unsafe_to_stop(self) -> str:
        """Why stopping this node now would hurt, or empty."""
        try:
            status, members = self.api.call("nodes")
            if status != 200:
                return f"the management API answers {status}"
            if len(members) < 2:
                return ""
            if down := _rabbitmq_api.stopped(members):
                return f"not running: {', '.join(sorted(down))}"
            if split := _rabbitmq_api.partitioned(members):
                return f"in a network partition: {', '.join(sorted(split))}"
            return self.api.healthy("alarms") or self.api.healthy("node-is-quorum-critical")
        except _rabbitmq_api.UnreachableError as error:
            return str(error)

    def outside_of_cluster(self) -> str:
        """Why this node is not in the seed's cluster, or empty."""
        try:
            status, members = self.api.call("nodes")
        except _rabbitmq_api.UnreachableError as error:
            return str(error)
        if status != 200:
            return f"the management API answers {status}"
        names = {member["name"] for member in members}
        if foreign := names - set(self.p["nodes"]):
            return f"member but not in the inventory: {', '.join(sorted(foreign))}; remove with rabbitmqctl forget_cluster_node"
        if self.p["seed_node"] not in names:
            return (
                f"it runs in a cluster of its own ({', '.join(sorted(names))}) without the seed {self.p['seed_node']}; "
                f"if it holds no data, stop it, empty {DATA} and run again"
            )
        if self.p["node"] not in _rabbitmq_api.running(members):
            return "it is a member but does not run"
        return ""

    def load_definitions(self) -> None:
        """Load the definitions file into the running cluster."""
        if self.act("load definitions", "rabbitmqctl", "--quiet", "import_definitions", self.p["definitions"]):
            self.stamp(STAMP, "definitions.json was loaded when this file was written\n")

    @staticmethod
    def stamp(path: str, text: str) -> None:
        """Remember by the time of a file that something was done."""
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)

    def ensure_certificate(self, started_at: float) -> None:
        """Read a certificate that is newer than what the process knows; by itself Erlang looks after two minutes."""
        known = max(started_at, _service_state.modified([CERTIFICATE_STAMP]).get(CERTIFICATE_STAMP, 0.0))
        newer = _service_state.newer(_service_state.modified([self.p["certificate"]]), known)
        if newer and self.act("read the certificate", "rabbitmqctl", "--quiet", "eval", "ssl:clear_pem_cache()."):
            self.stamp(CERTIFICATE_STAMP, "server.crt was read when this file was written\n")

    def ensure_started(self, unit: _service_state.Unit) -> None:
        """Enable and start the service."""
        if unit.stale_definition:
            self.act("read unit files", "systemctl", "daemon-reload")
        if not unit.enabled:
            self.act("enable", "systemctl", "enable", "--quiet", UNIT)
        if unit.active:
            return
        if not self.module.check_mode:
            if not os.path.exists(os.path.join(DATA, self.p["node"], SCHEMA)):
                self.prepare_first_start()
            if unit.failed:
                self.module.run_command(["systemctl", "reset-failed", UNIT])
        self.act("start", "systemctl", "start", UNIT)

    def prepare_first_start(self) -> None:
        """Let a node without data wait for the seed; fail when it is the seed of a new cluster and there is one already."""
        if self.p["node"] != self.p["seed_node"]:
            self.wait(f"the seed {self.p['seed_node']} before the first start", self.seed_closed)
        elif others := self.others_serving():
            self.fail(f"it has no data and would begin a new cluster, but {', '.join(others)} can be reached; run without --limit")

    def ensure_cookie(self, active: bool) -> None:
        """Bring the cookie to the file and, when the node runs, into the node first: its tools read the file."""
        try:
            with open(COOKIE, encoding="utf-8") as stream:
                known = stream.read()
        except OSError:
            known = ""
        if known == self.p["cookie"]:
            return
        self.actions.append("set the cookie")
        if self.module.check_mode:
            return
        following = f"{COOKIE}.next"
        self.write_cookie(following, self.p["cookie"])
        refused = ""
        if active:
            # By the file, because everybody can read the arguments of a process.
            expression = f'{{ok, Cookie}} = file:read_file("{following}"), erlang:set_cookie(binary_to_atom(Cookie, latin1)).'
            code, out, err = self.module.run_command(["rabbitmqctl", "--quiet", "eval", expression])
            if code or out.strip() != "true":
                refused = (err or out).strip() or "no answer"
        os.replace(following, COOKIE)
        # A run that was killed here before has left a node that knows the new cookie already, and hears no other.
        if refused and self.module.run_command(["rabbitmqctl", "--quiet", "ping"])[0]:
            self.write_cookie(following, known)
            os.replace(following, COOKIE)
            self.fail(f"the running node did not take the cookie: {refused}")

    @staticmethod
    def write_cookie(path: str, cookie: str) -> None:
        """Write a file with ``cookie`` that nobody but RabbitMQ can read."""
        account = pwd.getpwnam("rabbitmq")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o400), "w", encoding="utf-8") as stream:
            os.fchown(stream.fileno(), account.pw_uid, account.pw_gid)
            stream.write(cookie)

    def ensure_definitions(self, started_at: float) -> None:
        """Load the definitions when the file is newer than what was loaded last."""
        known = max(started_at, _service_state.modified([STAMP]).get(STAMP, 0.0))
        if _service_state.newer(_service_state.modified([self.p["definitions"]]), known):
            self.load_definitions()

    def ensure_queue_copies(self) -> None:
        """Add a copy of each quorum queue that has none on this node."""
        if len(self.p["nodes"]) < 2:
            return

        def missing() -> str:
            status, queues = self.api.call(_rabbitmq_api.queues_path(self.p["vhost"]))
            lacking = _rabbitmq_api.without_replica(queues, self.p["node"]) if status == 200 else []
            if not lacking:
                return ""
            if not self.actions or self.actions[-1] != "grow quorum queues":
                self.actions.append("grow quorum queues")
            if self.module.check_mode:
                return ""
            # Two nodes that join at once disturb each other here: what failed is seen, and tried again, in the next round.
            self.module.run_command(["rabbitmq-queues", "--quiet", "grow", self.p["node"], "all"])
            return f"{len(lacking)} quorum queues have no copy here, the first is {lacking[0]}"

        self.wait("copies of the quorum queues", missing)

    def ensure_absent_users(self) -> None:
        """Delete the users that must not exist."""
        for user in self.p["absent_users"]:
            path = f"users/{_rabbitmq_api.quoted(user)}"
            if self.api.call(path)[0] == 200:
                self.actions.append(f"delete user {user}")
                if not self.module.check_mode:
                    self.api.call(path, "DELETE")

    def run(self) -> bool:
        """Do everything; return whether a restart is needed."""
        unit = self.unit()
        if not unit.found:
            if not self.module.check_mode:
                self.fail(f"systemd does not know {UNIT}; is the package installed?")
            self.actions += ["enable", "start"]
            return False
        if problem := self.unresolvable():
            self.fail(problem)
        self.ensure_cookie(unit.active)
        self.ensure_started(unit)
        if not unit.active and self.module.check_mode:
            return False
        unit = self.unit()
        # Before anything else: the waits below log in with the password of the file.
        self.ensure_definitions(unit.started_at)
        self.ensure_certificate(unit.started_at)
        self.causes = _service_state.newer(_service_state.modified(self.p["restart_on"]), unit.started_at)
        needed = bool(self.causes)
        if needed and self.p["state"] == "restarted":
            if not self.module.check_mode:
                self.restart()
            else:
                self.actions.append("restart")
        elif needed:
            return True
        if not self.module.check_mode:
            self.wait("the node to serve", self.not_serving)
            self.wait("the node to be in the cluster", self.outside_of_cluster)
        try:
            self.ensure_queue_copies()
            self.ensure_absent_users()
        except _rabbitmq_api.UnreachableError as error:
            self.fail(str(error))
        return False

    def restart(self) -> None:
        """Wait until the node may stop, move its leaders away, restart it."""
        self.wait("a cluster in which this node may stop", self.unsafe_to_stop)
        if len(self.p["nodes"]) > 1:
            self.act("drain", "rabbitmq-upgrade", "--quiet", "drain")
        self.act("restart", "systemctl", "restart", UNIT)


def main() -> None:
    """Entry point."""
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "restarted"], "default": "started"},
            "node": text,
            "nodes": {"type": "list", "elements": "str", "required": True},
            "seed_node": text,
            "seed_address": text,
            "port": {"type": "int", "required": True},
            "management_port": {"type": "int", "required": True},
            "admin_user": text,
            "admin_password": {**text, "no_log": True},
            "vhost": text,
            "cookie": {**text, "no_log": True},
            "definitions": {"type": "path", "required": True},
            "certificate": {"type": "path", "default": ""},
            "restart_on": {"type": "list", "elements": "path", "default": []},
            "absent_users": {"type": "list", "elements": "str", "default": ["guest"]},
            "timeout_seconds": {"type": "int", "default": 600},
        },
        supports_check_mode=True,
    )
    node = Node(module)
    needed = node.run()
    diff = {"before": "", "after": "".join(f"{action}\n" for action in node.actions), "after_header": ", ".join(node.causes)}
    module.exit_json(changed=bool(node.actions), actions=node.actions, restart_needed=needed, causes=node.causes, diff=diff)


if __name__ == "__main__":
    main()
