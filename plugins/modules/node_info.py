#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Look at all services of one host of the cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_info
short_description: Look at every service that a host of the cluster should run
version_added: 0.1.0
description:
  - Reads systemd, the services' own health checks, RabbitMQ's management API on the loopback address, HAProxy's
    statistics, what Patroni and etcd say about their leaders, versions of packages and ends of certificates, and greets
    PostgreSQL, Redis and the broker as a client would. One execution for all services of a host.
  - Changes nothing, needs no password but that for the management API on a host with RabbitMQ, and fails only when it
    cannot look; findings are rows.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  node:
    description: The host's share of the cluster model, C(airflow_cluster.nodes[inventory_hostname]).
    type: dict
    required: true
  root:
    description: Directory of Airflow's releases, to say which one is in use.
    type: path
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
  drained:
    description: Drained hosts of the cluster. Load balancers are right not to send requests to them.
    type: list
    elements: str
    default: []
  timeout_seconds:
    description: Limit for each command and each connection.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Look at the services
  flightdeck.airflow.node_info:
    node: "{{ airflow_cluster.nodes[inventory_hostname] }}"
    queues: "{{ airflow_cluster.queues | list }}"
    rabbitmq_admin_password: "{{ airflow_secrets.rabbitmq_admin_password }}"
  register: __status
"""

RETURN = r"""
rows:
  description:
    - One line per finding, with C(component), C(state) (C(ok), C(degraded) or C(failed)) and C(detail).
    - C(data) has what the line says in a form for programs. C(scope) is C(cluster) where all hosts say the same.
  type: list
  elements: dict
  returned: always
"""

import glob
import json
import os
import ssl
import subprocess
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import (
    _certificate,
    _dags,
    _drained,
    _etcd,
    _host,
    _rabbitmq_api,
    _systemd,
)
from ansible_collections.flightdeck.airflow.plugins.module_utils import _node_status as status
from ansible_collections.flightdeck.airflow.plugins.module_utils._rows import DEGRADED, FAILED, OK, Row, row

# Exits 0 when the unit that it is given is healthy, and says why not in a line of text.
HEALTH_COMMAND = "/usr/local/bin/airflow-health"
DB_CLEAN = "flightdeck-db-clean.service"
BACKUP_STATE = Path("/var/lib/flightdeck-backup")
HAPROXY_SOCKET = "/run/haproxy/admin.sock"
POSTGRESQL_CA = "/etc/postgresql/airflow-tls/ca.crt"
# Certificates of a host: Airflow's own, and of each service of a package those that its role writes.
CERTIFICATES = ("/etc/airflow/secrets/*.crt", "/etc/*/airflow-tls/*.crt", "/etc/*/airflow-tls/*.pem")
# By the service of a host: what its program is called, and the name of its package.
_PROGRAMS = {
    "etcd": {"etcd": "etcd-server"},
    "metastore": {"PostgreSQL": r"postgresql-\d+", "Patroni": "patroni"},
    "rabbitmq": {"RabbitMQ": "rabbitmq-server"},
    "redis": {"Redis": "redis-server"},
    "haproxy": {"HAProxy": "haproxy"},
    "pgbouncer": {"PgBouncer": "pgbouncer"},
    "keepalived": {"keepalived": "keepalived"},
}
_PROPERTIES = "LoadState,ActiveState,SubState,Result,NRestarts,ExecMainStartTimestamp"


class _Node:
    def __init__(self, params: dict[str, Any]) -> None:
        self.node: dict[str, Any] = params["node"]
        self.queues: list[str] = params["queues"]
        self.rabbitmq_admin_password: str = params["rabbitmq_admin_password"]
        self.drained: list[str] = params["drained"]
        self.timeout: int = params["timeout_seconds"]
        self.root: str = params.get("root") or ""

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

    def rows(self) -> list[Row]:
        services = {
            "etcd": self.etcd,
            "backup": self.backup,
            "metastore": self.metastore,
            "rabbitmq": self.rabbitmq,
            "redis": self.redis,
            "haproxy": self.haproxy,
            "pgbouncer": self.pgbouncer,
        }
        rows = [row for name, rows_of in services.items() if name in self.node for row in rows_of(self.node[name])]
        return self.host() + self.certificates() + rows + self.dags() + self.airflow() + self.db_clean()

    def host(self) -> list[Row]:
        """Versions, and how long the host is up."""
        versions = {"Debian": _host.read("/etc/debian_version").strip()}
        release = _host.releases(self.root)["current"] if self.root and "airflow" in self.node else ""
        if release:
            versions["Airflow"] = release.split("-", maxsplit=1)[0]
        wanted = {name: package for part in self.node if part in _PROGRAMS for name, package in _PROGRAMS[part].items()}
        versions |= status.package_versions(_host.read("/var/lib/dpkg/status"), wanted)
        return [status.host_row(versions, release, float(_host.read("/proc/uptime").split()[0]))]

    def certificates(self) -> list[Row]:
        """The certificate that ends first, on a host that has any."""
        paths = sorted({path for pattern in CERTIFICATES for path in glob.glob(pattern)})
        if not paths:
            return []
        found: dict[str, datetime | str] = {}
        for path in paths:
            try:
                with open(path, encoding="ascii", errors="replace") as stream:
                    found[path] = _certificate.not_after(stream.read())
            except (OSError, ValueError) as error:
                found[path] = getattr(error, "strerror", None) or str(error)
        return [status.certificate_row(found, datetime.now(UTC))]

    def etcd(self, part: dict[str, Any]) -> list[Row]:
        url = part["client_url"]
        code, out, err = self.command(*_etcd.command(url, "endpoint", "status", "--write-out=json"))
        # Without an answer it prints an empty list, and ends well.
        if code or not out.strip().strip("[]"):
            problem = self.stopped("etcd.service") or f"does not answer: {_last_line(err) or 'no status'}"
            return [row("etcd", FAILED, problem)]
        _code, members, _err = self.command(*_etcd.command(url, "member", "list", "--write-out=json"))
        try:
            return [status.etcd_row(out, _etcd.members(members))]
        except ValueError:
            return [row("etcd", FAILED, "the member does not list the others: most are out of reach")]

    def patroni(self, part: dict[str, Any]) -> list[Row]:
        url = f"{part['url']}/cluster"
        try:
            context = ssl.create_default_context(cafile=POSTGRESQL_CA) if url.startswith("https:") else None
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
            )
            with opener.open(url, timeout=self.timeout) as answer:
                return [status.patroni_row(part["name"], json.load(answer))]
        except (OSError, ValueError) as error:
            problem = self.stopped("patroni.service") or f"{url} does not answer: {getattr(error, 'reason', error)}"
            return [row("patroni", FAILED, problem)]

    def dags(self) -> list[Row]:
        if "dags" not in self.node:
            return []
        revisions = _dags.Revisions(self.node["dags"]["path"], "")
        if not (current := revisions.current()):
            return [row("dags", FAILED, f"{revisions.link} leads to no revision; run flightdeck.airflow.site")]
        origin = revisions.origin(current)
        data = {"revision": current, "commit": origin.get("commit", ""), "ref": origin.get("ref", "")}
        return [row("dags", OK, status.dags_text(current, origin), data)]

    def backup(self, part: dict[str, Any]) -> list[Row]:
        command = [*part["command"], "--output=json", "--log-level-console=off", "info"]
        code, out, err = self.command("runuser", "--user", "postgres", "--", *command)
        if part["method"] == "pgbackrest" and (problem := self.stopped("pgbackrest.service")):
            rows = [row("backup", FAILED, problem)]
        elif code:
            rows = [row("backup", FAILED, _last_line(err) or _last_line(out))]
        else:
            rows = [status.backup_row(out, int(part["max_age_hours"]), time.time())]
        return [*rows, *status.backup_records(self.record)]

    def record(self, name: str) -> dict[str, Any]:
        """What the program for backups recorded of its last run under ``name``; empty for none."""
        try:
            return dict(json.loads((BACKUP_STATE / f"{name}.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def archive(self, port: int) -> list[Row]:
        """Whether the write-ahead log reaches the repository, as the server that leads says."""
        command = ["psql", "--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--username=postgres"]
        code, out, err = self.command(
            *command, "--host=/var/run/postgresql", f"--port={port}", f"--command={status.ARCHIVE_QUERY}", "postgres"
        )
        if code:
            return [row("metastore archive", FAILED, _last_line(err))]
        return status.archive_rows(out)

    def metastore(self, part: dict[str, Any]) -> list[Row]:
        rows = self.patroni(part["patroni"]) if part.get("patroni") else []
        rows += self.archive(int(part["port"])) if part.get("archive") else []
        for database in part["databases"]:
            problem = status.postgresql_problem(
                "127.0.0.1", int(part["port"]), database["user"], database["name"], self.timeout
            )
            # pg_hba may refuse the host itself (28000). The server answers, and only that is checked here.
            healthy = problem is None or problem.startswith("28000")
            rows.append(
                row(
                    f"metastore {database['name']}",
                    OK if healthy else FAILED,
                    problem if problem and not healthy else f"accepts connections on port {part['port']}",
                )
            )
        return rows

    def rabbitmq(self, part: dict[str, Any]) -> list[Row]:
        try:
            return self.broker(part)
        except _rabbitmq_api.UnreachableError as error:
            paused = (
                f"unit is active, but {error}; it still starts, or has paused itself because most others are out "
                "of reach"
            )
            return [row("rabbitmq", FAILED, self.stopped("rabbitmq-server.service") or paused)]

    def broker(self, part: dict[str, Any]) -> list[Row]:
        """What the management API says. Raises UnreachableError."""
        api = _rabbitmq_api.Api(
            int(part["management_port"]), part["admin_user"], self.rabbitmq_admin_password, self.timeout
        )
        answers = []
        consumers = f"consumers/{_rabbitmq_api.quoted(part['vhost'])}"
        for path in ("nodes?columns=name,running,partitions", _rabbitmq_api.queues_path(part["vhost"]), consumers):
            code, answer = api.call(path)
            if code != 200:
                problem = f"the management API answers {code} to /api/{path.partition('?')[0]}"
                if code == 401:
                    problem = (
                        "the management API refuses rabbitmq_admin_password, which was changed and not deployed; "
                        "run flightdeck.airflow.site"
                    )
                return [row("rabbitmq", FAILED, problem)]
            answers.append(answer)
        nodes, queues, consuming = answers
        rows = status.rabbitmq_rows(part["nodes"], nodes, api.alarms(), queues, self.queues)
        return rows + status.queue_rows(queues, consuming, self.queues)

    def stopped(self, unit: str) -> str | None:
        """Why ``unit`` does not run; None when it does, or systemd does not say."""
        try:
            return status.unit_problem(
                _systemd.show(lambda command: self.command(*command), [unit], _PROPERTIES).get(unit, {})
            )
        except OSError:
            return None

    def redis(self, part: dict[str, Any]) -> list[Row]:
        problem = status.redis_problem("127.0.0.1", int(part["port"]), self.timeout, part.get("ca_file", ""))
        return [row("redis", FAILED if problem else OK, problem or f"takes writes on port {part['port']}")]

    def haproxy(self, part: dict[str, Any]) -> list[Row]:
        try:
            rows = status.haproxy_rows(status.haproxy_statistics(HAPROXY_SOCKET), part["listeners"], self.drained)
        except OSError as error:
            return [row("haproxy", FAILED, f"{HAPROXY_SOCKET}: {error}")]
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
            rows.append(row(f"path to {listener['name']}", FAILED if problem else OK, problem or answer))
        return rows

    def pgbouncer(self, part: dict[str, Any]) -> list[Row]:
        problem = status.postgresql_problem("127.0.0.1", int(part["port"]), "airflow", "airflow", self.timeout)
        # Without encryption it is refused (08P01): it answers, and that is what is asked here.
        problem = None if problem and problem.startswith("08P01") else problem
        return [row("pgbouncer", FAILED if problem else OK, problem or f"answers on port {part['port']}")]

    def airflow(self) -> list[Row]:
        services = [(service["label"], service["unit"]) for service in self.node.get("airflow", {}).get("units", [])]
        try:
            units = _systemd.show(
                lambda command: self.command(*command), (f"{unit}.service" for _label, unit in services), _PROPERTIES
            )
        except OSError as error:
            return [row(label, FAILED, " ".join(str(error).split())) for label, _unit in services]
        if record := _drained.read():
            return drained_rows(record, {label: units.get(f"{unit}.service", {}) for label, unit in services})
        return [self.service(label, unit, units.get(f"{unit}.service", {})) for label, unit in services]

    def db_clean(self) -> list[Row]:
        """How the removal of old rows ended last, on a host that has its timer."""
        if not os.path.exists(_systemd.unit_path("flightdeck-db-clean.timer")):
            return []
        try:
            properties = f"{_PROPERTIES},ExecMainExitTimestamp"
            units = _systemd.show(lambda command: self.command(*command), [DB_CLEAN], properties)
        except OSError as error:
            return [row("db_clean", FAILED, " ".join(str(error).split()))]
        return [status.db_clean_row(units.get(DB_CLEAN, {}))]

    def service(self, label: str, unit: str, values: dict[str, str]) -> Row:
        if problem := status.unit_problem(values):
            return row(label, FAILED, problem)
        code, out, err = self.command(HEALTH_COMMAND, unit)
        said = (_last_line(out) or _last_line(err)).removeprefix(f"{unit}: ")
        if code:
            return row(label, FAILED, f"unit is active, but: {said or f'health check exited {code}'}")
        if outdated(f"{unit}.service"):
            return row(label, DEGRADED, f"{said}; runs with older settings than those on disk, restart it")
        return row(label, OK, f"{said}, {status.unit_detail(values)}")


def drained_rows(record: dict[str, str], units: dict[str, dict[str, str]]) -> list[Row]:
    """One row for a host that was drained as ``record`` says, and one for each of its ``units``, by label, that still
    runs."""
    rows = [row("host", DEGRADED, f"drained {_drained.words(record)}")]
    running = [label for label, values in units.items() if status.unit_problem(values) is None]
    detail = (
        "still runs on a drained host, and does not start again; run flightdeck.airflow.drain or "
        "flightdeck.airflow.undrain"
    )
    return rows + [row(label, DEGRADED, detail) for label in running]


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
            "root": {"type": "path"},
            "queues": {"type": "list", "elements": "str", "default": []},
            "rabbitmq_admin_password": {"type": "str", "default": "", "no_log": True},
            "drained": {"type": "list", "elements": "str", "default": []},
            "timeout_seconds": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, rows=_Node(module.params).rows())


if __name__ == "__main__":
    main()
