"""What the tests of upgrades ask a cluster, whichever version it runs: its metastore, its hosts, and its API from
outside."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cluster_access import access, ansible
from outside import run_in

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"
VERSION = "FLIGHTDECK_UPGRADE_VERSION"
NODES = ("node1", "node2", "worker1")
PSQL = ("runuser", "-u", "postgres", "--", "psql", "-v", "ON_ERROR_STOP=1", "-qAt", "-d")
USER, PASSWORD = "auditor", "auditor-of-runs-1"


def in_host(host: str, *command: str, stdin: str = "") -> str:
    """Output of a command on a host, as root."""
    return run_in(f"fd-upgrade-{host}", *command, stdin=stdin).strip()


def query(statement: str, database: str = "airflow") -> list[str]:
    """Lines that the metastore answers, with columns between bars."""
    return in_host("node1", *PSQL, database, stdin=statement).splitlines()


@contextlib.contextmanager
def locked(table: str) -> Iterator[None]:
    """While the block runs, nothing can alter a table: a session has read it and does not end."""
    command = ["docker", "exec", "-i", "fd-upgrade-node1", *PSQL, "airflow"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdin
        assert session.stdout
        session.stdin.write(f"BEGIN;\nSELECT count(*) FROM {table};\n")
        session.stdin.flush()
        session.stdout.readline()
        try:
            yield
        finally:
            session.stdin.close()


def play(name: str, *arguments: str, version: str, timeout: float = 900) -> str:
    """Output of a playbook with an inventory that has ``version``; raises with it when the playbook fails."""
    os.environ[VERSION] = version
    access.cache_clear()
    return ansible(str(PLAYBOOKS / f"{name}.yml"), *arguments, program="ansible-playbook", timeout=timeout)


def running() -> set[str]:
    """The versions of Airflow that the hosts' active releases have."""
    links = [in_host(host, "readlink", "/opt/airflow/current") for host in NODES]
    return {link.rpartition("/")[2].partition("-")[0] for link in links}


def processes() -> dict[str, list[str]]:
    """Main processes of Airflow's services by host. Those of the health checks come and go."""
    show = ["systemctl", "show", "--property=Id,MainPID", "--all", "airflow-*.service"]
    return {
        host: sorted(unit for unit in in_host(host, *show).split("\n\n") if "airflow-watchdog@" not in unit)
        for host in NODES
    }


def contents() -> dict[str, list[str]]:
    """What users would miss."""
    return {
        "connection": query("SELECT conn_id, conn_type, host, login FROM connection WHERE conn_id = 'warehouse'"),
        "variable": query("SELECT key, is_encrypted FROM variable WHERE key = 'secret'"),
        "dags": query(
            "SELECT dag_id, is_paused FROM dag WHERE dag_id LIKE 'upgrade_%' OR dag_id LIKE '%canary' ORDER BY 1"
        ),
        "users": query(
            "SELECT username, name FROM ab_user JOIN ab_user_role ON user_id = ab_user.id JOIN ab_role ON "
            "role_id = ab_role.id ORDER BY 1, 2"
        ),
        "roles": query("SELECT name FROM ab_role WHERE name = 'auditors'"),
        "secret": [in_host("node2", "airflow", "variables", "get", "secret").splitlines()[-1]],
    }


def history() -> list[str]:
    """DAG runs with what became of their tasks."""
    return query(
        "SELECT dag_run.run_id, dag_run.state, task_id, map_index, task_instance.state FROM dag_run JOIN task_instance "
        "USING (dag_id, run_id) ORDER BY 1, 3, 4"
    )


def log_in() -> int:
    """Status of Airflow's answer to the user whom the tests made."""
    cluster = access()
    if cluster.model["version"]["major"] >= 3:
        request = urllib.request.Request(
            f"{cluster.url}/auth/token",
            json.dumps({"username": USER, "password": PASSWORD}).encode(),
            {"Content-Type": "application/json"},
        )
    else:
        import base64

        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(f"{cluster.api_url}/dags", headers={"Authorization": f"Basic {basic}"})
    try:
        with urllib.request.urlopen(request, timeout=10, context=_trust()) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _trust() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=access().ca_file)


class Requests(threading.Thread):
    """Asks the load balancer for the health page, all the time."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.context = _trust()
        self.ended = threading.Event()
        self.failed: list[str] = []
        self.asked = 0
        # Seconds between two good answers.
        self.outage = 0.0

    def run(self) -> None:
        """Ask until the end."""
        good = time.monotonic()
        while not self.ended.is_set():
            self.asked += 1
            try:
                with urllib.request.urlopen(self.url, timeout=10, context=self.context):
                    self.outage = max(self.outage, time.monotonic() - good)
                    good = time.monotonic()
            except OSError as error:
                self.failed.append(str(error))
            self.ended.wait(0.2)


@contextlib.contextmanager
def requests(path: str) -> Iterator[Requests]:
    """Requests to ``path`` of the load balancer while the block runs."""
    asking = Requests(f"{access().url}{path}")
    asking.start()
    try:
        yield asking
    finally:
        asking.ended.set()
        asking.join(timeout=30)


def report(path: Path) -> dict[str, Any]:
    """What a playbook has written to the controller."""
    return dict(json.loads(path.read_text()))
