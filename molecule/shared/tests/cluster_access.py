"""How the tests with real clients reach the cluster under test: its URL and account, and commands on its hosts.

Everything comes from the cluster model, so that no test repeats what the inventory says. The inventory is that of the
running Molecule scenario; set FLIGHTDECK_INVENTORY to test any other cluster.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CANARY = "flightdeck_canary"
# Bounds are those of a machine that has nothing else to do; one that is half as fast, and busy, has this many times as
# long.
BUSY = 3


@dataclass(frozen=True)
class Access:
    """A cluster, its secrets, and the containers that are its hosts."""

    model: dict[str, Any]
    secrets: dict[str, str]
    containers: dict[str, str]
    # Path of the certificate that proves the cluster's servers; empty without TLS.
    ca_file: str

    @property
    def password(self) -> str:
        """Password of the administrator."""
        return self.secrets["admin_password"]

    @property
    def url(self) -> str:
        """What people open: the load balancer."""
        return str(self.model["url"])

    @property
    def api_url(self) -> str:
        """Airflow's API."""
        return f"{self.url}/api/v{2 if self.model['version']['major'] >= 3 else 1}"

    @property
    def user(self) -> str:
        """Name of the administrator."""
        return str(self.model["admin_user"])


def release_python(container: str, program: str, *arguments: str) -> list[str]:
    """The command that runs a Python ``program`` with the packages of the release in ``container``."""
    python = "/opt/airflow/current/bin/python"
    return ["docker", "exec", "--interactive", container, python, "-c", program, *arguments]


def inventory() -> str:
    """Path of the inventory of the cluster under test."""
    path = os.environ.get("FLIGHTDECK_INVENTORY") or os.environ.get("MOLECULE_INVENTORY_FILE")
    if not path:
        raise RuntimeError(
            "set FLIGHTDECK_INVENTORY to the inventory of a running cluster, or start the tests by Molecule"
        )
    return path


def ansible(*arguments: str, program: str = "ansible", timeout: float = 300, warnings: bool = False) -> str:
    """Output of an Ansible command against the cluster, with ``warnings`` those, too; raises with all of it when the
    command fails, or takes too long."""
    command = [program, "-i", inventory(), *arguments]
    # Molecule forces colours, which would hide in what tests search, and has the details elsewhere.
    plain = {
        **os.environ,
        "ANSIBLE_FORCE_COLOR": "false",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_VERBOSE_TO_STDERR": "false",
    }
    if "-vvv" in arguments:
        # Everything that Ansible can print, for tests that search it for secrets.
        plain |= {"ANSIBLE_DISPLAY_OK_HOSTS": "true", "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUSY * timeout, check=False, env=plain)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout + done.stderr if warnings else done.stdout


def changes(output: str) -> dict[str, int]:
    """Changed tasks by host, of hosts that have some, in the ``output`` of a playbook."""
    found = recap(output)
    assert found, output
    return {host: changed for host, (_ok, changed) in found.items() if changed}


def through_docker(container: str) -> tuple[str, str]:
    """Arguments for ``ansible`` that reach a container from inside, whatever its firewall does to SSH."""
    way = {"connection": "community.docker.docker", "host": container, "user": "root", "become": False}
    return "-e", json.dumps({f"ansible_{name}": value for name, value in way.items()})


@functools.cache
def access() -> Access:
    """The cluster under test; asked for once per test run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "access.json"
        ansible(str(HERE / "cluster_access.yml"), "-e", f"access_file={path}", program="ansible-playbook")
        found = json.loads(path.read_text(encoding="utf-8"))
    if found["ca_file"]:
        # Where requests and urllib look for it.
        os.environ["REQUESTS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"] = str(Path(found["ca_file"]).resolve())
    return Access(found["model"], found["secrets"], found["containers"], found["ca_file"])


def service(host: str, unit: str, state: str) -> None:
    """Start or stop a systemd unit on a host of the cluster."""
    ansible(host, "-m", "ansible.builtin.systemd_service", "-a", json.dumps({"name": unit, "state": state}))


def recap(output: str) -> dict[str, tuple[int, int]]:
    """Tasks that were executed and tasks that changed something, by host, from the end of what ansible-playbook
    printed."""
    found = re.findall(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)", output, re.MULTILINE)
    return {host: (int(ok), int(changed)) for host, ok, changed in found}


def wait_until(
    what: str, check: Callable[[], object], seconds: float, every: float = 0.5, *, promised: bool = False
) -> None:
    """Wait for ``check`` to be true; fails with ``what`` was waited for.

    What comes back may refuse connections, or answer with half of what it knows, for a while. A machine that is busy
    has more than ``seconds``, unless these are what users are ``promised``.
    """
    seconds *= 1 if promised else BUSY
    end = time.monotonic() + seconds
    while True:
        problem: object = ""
        try:
            if check():
                return
        except (OSError, LookupError, TypeError, ValueError, subprocess.SubprocessError) as error:
            problem = f": {type(error).__name__}: {error}"
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds:.0f} s{problem}")
        time.sleep(every)


def rabbitmqctl(host: Any, arguments: str) -> str:
    """Output of rabbitmqctl on a ``host``. On a busy machine a node that works may not answer it in time."""
    found: list[Any] = []

    def answered() -> bool:
        found.append(host.run(f"rabbitmqctl --quiet {arguments}"))
        return bool(found[-1].rc == 0)

    try:
        wait_until(f"rabbitmqctl {arguments}", answered, 30)
    except AssertionError as error:
        raise AssertionError(f"{error}: {found[-1].stderr}") from error
    return str(found[-1].stdout).strip()
