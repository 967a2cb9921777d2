#!/usr/bin/python
# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Look at all services of one host of the cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_status
short_description: Look at every service that a host of the cluster should run
version_added: 0.1.0
description:
  - Reads systemd, the services' own health checks, RabbitMQ's management API on the loopback address, HAProxy's
    statistics, and greets PostgreSQL, Redis and the broker as a client would. One execution for all services of a host.
  - Changes nothing, needs no password but that for the management API on a host with RabbitMQ, and fails only when it
    cannot look; findings are rows.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  node:
    description: The host's share of the cluster model, C(airflow_cluster.nodes[inventory_hostname]).
    type: dict
    required: true
  queues:
    description: Names of the queues that workers of the cluster consume from; on a broker each has to be a quorum
      queue.
    type: list
    elements: str
    default: []
  rabbitmq_admin_password:
    description: Password of the management API's user, on a host with RabbitMQ.
    type: str
    default: ''
  timeout_seconds:
    description: Limit for each command and each connection.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Look at the services
  flightdeck.airflow.node_status:
    node: "{{ airflow_cluster.nodes[inventory_hostname] }}"
    queues: "{{ airflow_cluster.queues | list }}"
    rabbitmq_admin_password: "{{ airflow_secrets.rabbitmq_admin_password }}"
  register: __status
"""

RETURN = r"""
rows:
  description: One line per service, with C(component), C(state) (C(ok), C(degraded) or C(failed)) and C(detail).
  type: list
  elements: dict
  returned: always
"""

import subprocess
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _dags, _rabbitmq_api, _systemd
from ansible_collections.flightdeck.airflow.plugins.module_utils import _node_status as status

# Exits 0 when the unit that it is given is healthy, and says why not in a line of text.
HEALTH_COMMAND = "/usr/local/bin/airflow-health"
HAPROXY_SOCKET = "/run/haproxy/admin.sock"
_PROPERTIES = "LoadState,ActiveState,SubState,Result,NRestarts,ExecMainStartTimestamp"


class _Node:
    def __init__(self, params: dict[str, Any]) -> None:
        self.node: dict[str, Any] = params["node"]
        self.queues: list[str] = params["queues"]
        self.rabbitmq_admin_password: str = params["rabbitmq_admin_password"]
        self.timeout: int = params["timeout_seconds"]

    def command(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, output and error output; 124 with a text when it took too long, 127 when there is no such
        command."""
        try:
            done = subprocess.run(arguments, capture_output=True, text=True, timeout=self.timeout, check=False)
        except subprocess.TimeoutExpired:
            return 124, "", f"no answer within {self.timeout} s"
        except OSError as error:
            return 127, "", f"{arguments[0]}: {error.strerror}"
        return done.returncode, done.stdout, done.stderr

    def rows(self) -> list[status.Row]:
        services = {
            "metastore": self.metastore,
            "rabbitmq": self.rabbitmq,
            "redis": self.redis,
            "haproxy": self.haproxy,
            "pgbouncer": self.pgbouncer,
        }
        rows = [row for name, rows_of in services.items() if name in self.node for row in rows_of(self.node[name])]
        return rows + self.dags() + self.airflow()

    def dags(self) -> list[status.Row]:
        if "dags" not in self.node:
            return []
        revisions = _dags.Revisions(self.node["dags"]["path"], "")
        if not (current := revisions.current()):
            return [status.row("dags", status.FAILED, f"{revisions.link} leads to no revision; run site.yml")]
        return [status.row("dags", status.OK, status.dags_text(current, revisions.origin(current)))]

    def metastore(self, part: dict[str, Any]) -> list[status.Row]:
        rows = []
        for database in part["databases"]:
            problem = status.postgresql_problem(
                "127.0.0.1", int(part["port"]), database["user"], database["name"], self.timeout
            )
            # pg_hba may refuse the host itself (28000). The server answers, and only that is checked here.
            healthy = problem is None or problem.startswith("28000")
            rows.append(
                status.row(
                    f"metastore {database['name']}",
                    status.OK if healthy else status.FAILED,
                    problem if problem and not healthy else f"accepts connections on port {part['port']}",
                )
            )
        return rows

    def rabbitmq(self, part: dict[str, Any]) -> list[status.Row]:
        try:
            return self.broker(part)
        except _rabbitmq_api.UnreachableError as error:
            paused = (
                f"unit is active, but {error}; it still starts, or has paused itself because most others are out "
                "of reach"
            )
            return [status.row("rabbitmq", status.FAILED, self.stopped("rabbitmq-server.service") or paused)]

    def broker(self, part: dict[str, Any]) -> list[status.Row]:
        """What the management API says. Raises UnreachableError."""
        api = _rabbitmq_api.Api(
            int(part["management_port"]), part["admin_user"], self.rabbitmq_admin_password, self.timeout
        )
        answers = []
        for path in ("nodes?columns=name,running,partitions", _rabbitmq_api.queues_path(part["vhost"])):
            code, answer = api.call(path)
            if code != 200:
                problem = f"the management API answers {code} to /api/{path.partition('?')[0]}"
                if code == 401:
                    problem = (
                        "the management API refuses rabbitmq_admin_password, which was changed and not deployed; "
                        "run site.yml"
                    )
                return [status.row("rabbitmq", status.FAILED, problem)]
            answers.append(answer)
        nodes, queues = answers
        return status.rabbitmq_rows(part["nodes"], nodes, api.alarms(), queues, self.queues)

    def stopped(self, unit: str) -> str | None:
        """Why ``unit`` does not run; None when it does, or systemd does not say."""
        try:
            return status.unit_problem(
                _systemd.show(lambda command: self.command(*command), [unit], _PROPERTIES).get(unit, {})
            )
        except OSError:
            return None

    def redis(self, part: dict[str, Any]) -> list[status.Row]:
        problem = status.redis_problem("127.0.0.1", int(part["port"]), self.timeout, part.get("ca_file", ""))
        return [
            status.row(
                "redis", status.FAILED if problem else status.OK, problem or f"takes writes on port {part['port']}"
            )
        ]

    def haproxy(self, part: dict[str, Any]) -> list[status.Row]:
        try:
            rows = status.haproxy_rows(status.haproxy_statistics(HAPROXY_SOCKET), part["listeners"])
        except OSError as error:
            return [status.row("haproxy", status.FAILED, f"{HAPROXY_SOCKET}: {error}")]
        # A server that is up for HAProxy's check says little when the listener itself does not pass traffic.
        for listener in part["listeners"]:
            if listener.get("check") == "postgresql":
                problem = status.postgresql_problem(
                    "127.0.0.1", int(listener["port"]), listener["check_user"], listener["check_user"], self.timeout
                )
                service = "PostgreSQL"
            elif listener.get("check") == "patroni":
                problem = status.postgresql_problem(
                    "127.0.0.1", int(listener["port"]), "airflow", "airflow", self.timeout
                )
                # Without encryption it is refused (28000): the server answers, and that is what is asked here.
                problem = None if problem and problem.startswith("28000") else problem
                service = "the PostgreSQL server that leads"
            elif listener.get("check") == "amqp":
                problem = status.amqp_problem(
                    "127.0.0.1", int(listener["port"]), self.timeout, listener.get("ca_file", "")
                )
                service = "the broker"
            elif listener.get("check") == "redis":
                problem = status.redis_problem(
                    "127.0.0.1", int(listener["port"]), self.timeout, listener.get("ca_file", "")
                )
                service = "the broker"
            else:
                continue
            answer = f"{service} answers through port {listener['port']}"
            rows.append(
                status.row(f"path to {listener['name']}", status.FAILED if problem else status.OK, problem or answer)
            )
        return rows

    def pgbouncer(self, part: dict[str, Any]) -> list[status.Row]:
        problem = status.postgresql_problem("127.0.0.1", int(part["port"]), "airflow", "airflow", self.timeout)
        # Without encryption it is refused (08P01): it answers, and that is what is asked here.
        problem = None if problem and problem.startswith("08P01") else problem
        return [
            status.row(
                "pgbouncer", status.FAILED if problem else status.OK, problem or f"answers on port {part['port']}"
            )
        ]

    def airflow(self) -> list[status.Row]:
        services = [(service["label"], service["unit"]) for service in self.node.get("airflow", {}).get("units", [])]
        try:
            units = _systemd.show(
                lambda command: self.command(*command), (f"{unit}.service" for _, unit in services), _PROPERTIES
            )
        except OSError as error:
            return [status.row(label, status.FAILED, " ".join(str(error).split())) for label, _ in services]
        return [self.service(label, unit, units.get(f"{unit}.service", {})) for label, unit in services]

    def service(self, label: str, unit: str, values: dict[str, str]) -> status.Row:
        if problem := status.unit_problem(values):
            return status.row(label, status.FAILED, problem)
        code, out, err = self.command(HEALTH_COMMAND, unit)
        said = (_last_line(out) or _last_line(err)).removeprefix(f"{unit}: ")
        if code:
            return status.row(label, status.FAILED, f"unit is active, but: {said or f'health check exited {code}'}")
        if outdated(f"{unit}.service"):
            return status.row(
                label, status.DEGRADED, f"{said}; runs with older settings than those on disk, restart it"
            )
        return status.row(label, status.OK, f"{said}, {status.unit_detail(values)}")


def outdated(unit: str) -> bool:
    """Whether a unit runs with old settings, as far as this account may know."""
    try:
        return _systemd.outdated(unit)
    except OSError:
        return False


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "dict", "required": True},
            "queues": {"type": "list", "elements": "str", "default": []},
            "rabbitmq_admin_password": {"type": "str", "default": "", "no_log": True},
            "timeout_seconds": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, rows=_Node(module.params).rows())


if __name__ == "__main__":
    main()
