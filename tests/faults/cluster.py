"""The cluster under test as the faults see it: leaders, health, and how to break a host."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from cluster_access import Access, access, inventory
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

__all__ = ["Cluster", "inventory", "wait"]

SERVICES = (
    "airflow-*.service",
    *(f"{name}.service" for name in ("etcd", "patroni", "rabbitmq-server", "haproxy", "keepalived", "pgbouncer")),
)


def wait(what: str, check: Callable[[], str], seconds: float, every: float = 0.5) -> float:
    """Wait until ``check`` has nothing to complain about; returns the seconds that it took."""

    def complaint() -> str:
        # While hosts come and go, an unreachable host is a problem as well.
        try:
            return check()
        except (OSError, subprocess.SubprocessError, LookupError, ValueError) as error:
            return f"{type(error).__name__}: {error}"

    begun = time.monotonic()
    while problem := complaint():
        if time.monotonic() - begun > seconds:
            raise AssertionError(f"{what}: not within {seconds:.0f} s: {problem}")
        time.sleep(every)
    return time.monotonic() - begun


class Cluster:
    """Containers that are hosts, by their names in the inventory."""

    def __init__(self) -> None:
        self.access: Access = access()
        self.model = self.access.model
        self.nodes: dict[str, Any] = self.model["nodes"]

    def hosts(self, group: str) -> list[str]:
        """Names of the hosts in a group, without its prefix."""
        return [host["name"] for host in self.model["hosts_of"][group]]

    # Commands.

    def session(self) -> requests.Session:
        """The API as the administrator: a session with a token. What only reads is repeated when the server fails."""
        session = requests.Session()
        again = Retry(
            total=4,
            backoff_factor=1,
            status_forcelist=(500, 502, 503, 504),
            allowed_methods=("GET",),
            raise_on_status=False,
        )
        session.mount(self.access.url, HTTPAdapter(max_retries=again))
        self.log_in(session)
        return session

    def log_in(self, session: requests.Session) -> None:
        """Give ``session`` a token, the first or a new one."""
        login = {"username": self.access.user, "password": self.access.password}
        token = requests.post(f"{self.access.url}/auth/token", json=login, timeout=30).json()["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"

    def docker(self, *command: str) -> str:
        """Output of a docker command that succeeds."""
        return subprocess.run(["docker", *command], capture_output=True, text=True, check=True, timeout=120).stdout

    def run(self, host: str, *command: str) -> str:
        """Output of a command on a host."""
        return self.docker("exec", self.access.containers[host], *command)

    def versions(self) -> dict[str, str]:
        """What is installed, by name."""
        found = {"Airflow": str(self.model["version"]["full"])}
        packages = {
            "metastore": ["postgresql-1?", "patroni", "etcd-server"],
            "rabbitmq": ["rabbitmq-server"],
            "haproxy": ["haproxy", "keepalived"],
        }
        for group, names in packages.items():
            listed = self.run(
                self.hosts(group)[0],
                "dpkg-query",
                "--show",
                "--showformat=${db:Status-Abbrev}${Package} ${Version}\n",
                *names,
            )
            found |= dict(line[2:].strip().split() for line in listed.splitlines() if line.startswith("ii"))
        return found

    # Who does what.

    def patroni(self) -> list[dict[str, Any]]:
        """Members as the first one knows them that answers."""
        for host in self.hosts("metastore"):
            try:
                answer = requests.get(f"{self.nodes[host]['metastore']['patroni']['url']}/cluster", timeout=2)
                return list(answer.json()["members"])
            except (requests.RequestException, ValueError):
                continue
        return []

    def leader(self) -> str:
        """The metastore host that is written to."""
        return next((member["name"] for member in self.patroni() if member["role"] in ("leader", "master")), "")

    def standby(self) -> str:
        """A metastore host that confirms writes."""
        return next(
            (member["name"] for member in self.patroni() if member["role"] in ("sync_standby", "quorum_standby")), ""
        )

    @property
    def vip(self) -> str:
        """The virtual IP."""
        return str(next(node["keepalived"]["vip"] for node in self.nodes.values() if "keepalived" in node)).partition(
            "/"
        )[0]

    def vip_holder(self) -> str:
        """The load balancer that has the virtual IP."""
        return next(
            (host for host in self.hosts("haproxy") if f" {self.vip}/" in self.run(host, "ip", "-oneline", "address")),
            "",
        )

    def queue_leader(self, queue: str = "default") -> str:
        """The broker that leads a queue."""
        for host in self.hosts("rabbitmq"):
            listed = json.loads(
                self.run(
                    host,
                    *[
                        "rabbitmqctl",
                        "--quiet",
                        "list_queues",
                        "-p",
                        "airflow",
                        "name",
                        "leader",
                        "--formatter",
                        "json",
                    ],
                )
            )
            return next(str(entry["leader"]).partition("@")[2] for entry in listed if entry["name"] == queue)
        return ""

    # Whether all is well.

    def problem(self) -> str:
        """What is not as it should be; empty when all is well."""
        stopped = [name for name, container in self.access.containers.items() if self._state(container) != "running"]
        if stopped:
            return f"not running: {stopped}"
        return (
            self._metastore_problem() or self._broker_problem() or self._airflow_problem() or self._services_problem()
        )

    def _state(self, container: str) -> str:
        return self.docker("inspect", "--format", "{{.State.Status}}", container).strip()

    def _metastore_problem(self) -> str:
        members = self.patroni()
        roles = [member["role"] for member in members]
        if len(members) != len(self.hosts("metastore")) or sum(role in ("leader", "master") for role in roles) != 1:
            return f"metastore: {roles}"
        if not any(role in ("sync_standby", "quorum_standby") for role in roles):
            return "metastore: no server confirms writes"
        lagging = [
            member["name"]
            for member in members
            if member["state"] not in ("running", "streaming") or member.get("lag", 0)
        ]
        return f"metastore: {lagging} lag" if lagging else ""

    def _broker_problem(self) -> str:
        nodes = self._management(self.hosts("rabbitmq")[0], "nodes").json()
        bad = [
            each["name"]
            for each in nodes
            if not each.get("running") or each.get("partitions") or each.get("disk_free_alarm")
        ]
        if bad or len(nodes) != len(self.hosts("rabbitmq")):
            return f"broker: {bad}"
        # RabbitMQ's own health check: whether it finds the port that clients use.
        for host in self.hosts("rabbitmq"):
            self._management(host, f"health/checks/port-listener/{self.nodes[host]['rabbitmq']['port']}")
        return ""

    def _management(self, host: str, path: str) -> requests.Response:
        """Answer of a broker's management API, which is none when it says that something failed."""
        node = self.nodes[host]
        url = f"https://{node['address']}:{node['rabbitmq']['management_tls_port']}/api/{path}"
        answer = requests.get(url, auth=("admin", self.access.secrets["rabbitmq_admin_password"]), timeout=5)
        answer.raise_for_status()
        return answer

    def _airflow_problem(self) -> str:
        answer = requests.get(f"{self.access.url}/api/v2/monitor/health", timeout=5)
        answer.raise_for_status()
        bad = {name: state for name, state in answer.json().items() if state.get("status") not in ("healthy", None)}
        return f"airflow: {bad}" if bad else ""

    def _services_problem(self) -> str:
        """Services that are to run and do not, and those of Airflow that run and do not do their work."""
        bad = []
        for host in self.access.containers:
            shown = self.run(host, "systemctl", "show", "--property=Id,ActiveState,UnitFileState", *SERVICES)
            services = [dict(line.split("=", 1) for line in unit.splitlines()) for unit in shown.strip().split("\n\n")]
            states = {
                service["Id"]: service["ActiveState"]
                for service in services
                if service.get("UnitFileState") == "enabled"
            }
            bad += [f"{name} of {host} is {state}" for name, state in states.items() if state != "active"]
            if units := [name for name in states if name.startswith("airflow-")]:
                bad += self._unhealthy(host, units)
        return ", ".join(bad)

    def _unhealthy(self, host: str, units: list[str]) -> list[str]:
        """What the health check of ``host`` says when not all ``units`` are healthy."""
        command = ["docker", "exec", self.access.containers[host], "/usr/local/bin/airflow-health", *units]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return [f"{host}: {ended.stdout}{ended.stderr}".strip()] if ended.returncode else []

    # How to break a host.

    def kill(self, host: str) -> None:
        """As if its power was cut."""
        self.docker("kill", self.access.containers[host])

    def start(self, host: str) -> None:
        """Switch it on."""
        self.docker("start", self.access.containers[host])

    def pause(self, host: str) -> None:
        """Freeze every process of it."""
        self.docker("pause", self.access.containers[host])

    def unpause(self, host: str) -> None:
        """Let its processes go on."""
        self.docker("unpause", self.access.containers[host])

    def signal(self, host: str, unit: str, signal: str, whom: str = "main") -> None:
        """Send a signal to the main process of a unit, or to all of them."""
        self.run(host, "systemctl", "kill", f"--signal={signal}", f"--kill-whom={whom}", unit)

    def isolate(self, host: str, *others: str, ways: tuple[str, ...] = ("input", "output")) -> None:
        """No packet passes between ``host`` and ``others``: neither its ``input`` nor its ``output``, or one of
        both."""
        moving = [self.vip] if set(self.hosts("haproxy")) <= set(others) else []
        addresses = ", ".join([self.nodes[other]["address"] for other in others] + moving)
        match = {"input": "saddr", "output": "daddr"}
        chains = (
            f"chain {way} {{ type filter hook {way} priority -300; ip {match[way]} {{ {addresses} }} drop; }};"
            for way in ways
        )
        self.run(host, "nft", f"table inet nemesis {{ {' '.join(chains)} }}")

    def rejoin(self, host: str) -> None:
        """Take ``isolate`` back."""
        self.run(host, "nft", "delete", "table", "inet", "nemesis")

    def skew(self, host: str, unit: str, seconds: int) -> None:
        """A unit restarts with a clock of its own: containers have one clock for all, so only what its processes
        see can be changed."""
        path = f"/run/systemd/system/{unit}.service.d"
        # The clock that measures how long something takes goes on as it is, as on a machine whose time was set wrongly.
        settings = {"LD_PRELOAD": self.run(host, "sh", "-c", "ls /usr/lib/*/faketime/libfaketime.so.1").strip()}
        settings |= {"FAKETIME": f"{seconds:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        lines = ["[Service]", *(f"Environment={name}={value}" for name, value in settings.items())]
        self.run(
            host,
            "sh",
            "-c",
            f"mkdir -p {path} && printf '%s\\n' \"$@\" > {path}/nemesis.conf && systemctl daemon-reload",
            "sh",
            *lines,
        )
        self.run(host, "systemctl", "restart", unit)

    def unskew(self, host: str, unit: str) -> None:
        """Take ``skew`` back."""
        self.run(host, "sh", "-c", f"rm -r /run/systemd/system/{unit}.service.d && systemctl daemon-reload")
        self.run(host, "systemctl", "restart", unit)

    def fill(self, host: str, folder: str) -> None:
        """A small file system is laid over ``folder``, and is full."""
        owner = self.run(host, "stat", "--format=uid=%u,gid=%g,mode=%a", folder).strip()
        self.run(host, "mount", "-t", "tmpfs", "-o", f"size=64k,{owner}", "nemesis", folder)
        self.run(host, "sh", "-c", f"head -c 1M /dev/zero > {folder}/nemesis || true")

    def unfill(self, host: str, folder: str) -> None:
        """Take ``fill`` back."""
        self.run(host, "umount", "--lazy", folder)

    def delay(self, host: str) -> Callable[[], None]:
        """What ``host`` sends to the others arrives late, until the result is called."""
        self.run(host, "sh", "-c", "mkdir -p /dev/net && { test -e /dev/net/tun || mknod /dev/net/tun c 10 200; }")
        others = [node["address"] for name, node in self.nodes.items() if name != host]
        source = Path(__file__).with_name("delay.py").read_text(encoding="utf-8")
        command = ["docker", "exec", "--interactive", self.access.containers[host], "python3", "-c", source, *others]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise RuntimeError(f"nothing is delayed on {host}")

        def stop() -> None:
            process.communicate(timeout=30)
            assert process.returncode == 0, f"the delay on {host} had ended before"

        return stop
