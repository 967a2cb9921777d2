"""docs/tutorial.md, typed as it stands by a newcomer: an empty directory, an environment of its own, three bare
machines over SSH, and no repository.

Three things differ from the page. The archive takes the place of Galaxy, the addresses are those of the lab, and
packages come from where this machine gets them, which a file of the inventory says. The times of the commands are in
artefacts/tutorial.txt.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import ssl
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/tutorial.md"
LAB = yaml.safe_load((Path(__file__).parents[1] / "inventory/group_vars/all/lab.yml").read_text())["lab_subnet"]
MACHINES = {f"{LAB}.11": "node1", f"{LAB}.12": "node2", f"{LAB}.13": "node3"}
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GALAXY = "ansible-galaxy collection install flightdeck.airflow"
PACKAGES = ROOT / "inventories/lab/group_vars/all/packages.yml"
# Of `plan` when there is something to do.
PLANNED = 10


class Shell:
    """One shell for the whole page, and what each command took."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.home = home
        self.process = subprocess.Popen(
            ["bash"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=home,
            env=environment,
        )
        self.times: list[tuple[str, float]] = []
        self.output = ""
        self.planned = ""

    def type(self, line: str) -> int:
        """The exit code of a command; what it prints becomes ``output``."""
        began = time.monotonic()
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin and stdout
        stdin.write(f"{{ {line}\n}} < /dev/null\nprintf '\\nended %s\\n' $?\n")
        stdin.flush()
        said: list[str] = []
        for text in stdout:
            if ended := re.fullmatch(r"ended (\d+)\n", text):
                break
            said.append(text)
        else:
            raise AssertionError(f"the shell ended: {''.join(said)}")
        self.output = "".join(said)
        self.times.append((line, time.monotonic() - began))
        return int(ended[1])

    def must(self, line: str) -> str:
        """What a command that must succeed prints."""
        code = self.type(line)
        if ".plan " in line:
            self.planned = self.output
        assert code == (PLANNED if ".plan " in line else 0), f"{line}\n{self.output}"
        return self.output


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A key that admits root; the keys of the machines are known."""
    path = tmp_path / "ssh/key"
    path.parent.mkdir(mode=0o700)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    admit = """set -e
mkdir -p -m 0700 /root/.ssh
cat > /root/.ssh/authorized_keys
rm -f /etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
systemctl enable --quiet --now ssh.service
cat /etc/ssh/ssh_host_ed25519_key.pub"""
    known = []
    for address, name in MACHINES.items():
        command = ["docker", "exec", "--interactive", f"fd-tutorial-{name}", "sh", "-c", admit]
        public = path.with_suffix(".pub").read_text()
        done = subprocess.run(command, input=public, check=True, capture_output=True, text=True)
        known.append(f"{address} {done.stdout}")
    (path.parent / "known_hosts").write_text("".join(known))
    return path


@pytest.fixture
def archives(tmp_path: Path) -> list[Path]:
    """Those of the collection and of the one that it needs."""
    folder = tmp_path / "archives"
    folder.mkdir()
    build = [Path(sys.executable).parent / "ansible-galaxy", "collection", "build", ROOT, "--output-path", folder]
    subprocess.run(build, check=True, capture_output=True)
    installed = next(
        path
        for base in sys.path
        if (path := Path(base) / "ansible_collections/community/postgresql/MANIFEST.json").exists()
    )
    manifest = json.loads(installed.read_text())
    # The package that brings it leaves out its tests, which its list of files still has.
    listing = json.loads((installed.parent / "FILES.json").read_text())
    listing["files"] = [entry for entry in listing["files"] if (installed.parent / entry["name"]).exists()]
    files = json.dumps(listing).encode()
    manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(files).hexdigest()
    version = manifest["collection_info"]["version"]
    with tarfile.open(folder / f"community-postgresql-{version}.tar.gz", "w:gz") as target:
        for name, content in (("MANIFEST.json", json.dumps(manifest).encode()), ("FILES.json", files)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            target.addfile(member, io.BytesIO(content))
        for entry in listing["files"]:
            target.add(installed.parent / entry["name"], entry["name"], recursive=False)
    return sorted(folder.glob("*.tar.gz"))


@pytest.fixture
def shell(tmp_path: Path, key: Path) -> Iterator[Shell]:
    """That of the newcomer, whose machine knows nothing but where packages come from."""
    home = tmp_path / "home"
    home.mkdir()
    ours = re.compile(r"ANSIBLE|FLIGHTDECK|MOLECULE|PYTHON|PYTEST|VIRTUAL_ENV|PWD|OLDPWD")
    environment = {name: value for name, value in os.environ.items() if not ours.match(name)}
    environment |= {
        "HOME": str(home),
        "PATH": f"{sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        # OpenSSH takes no notice of HOME.
        "ANSIBLE_SSH_COMMON_ARGS": f"-i {key} -o UserKnownHostsFile={key.parent}/known_hosts",
    }
    found = Shell(home, environment)
    yield found
    found.process.kill()
    found.process.wait()


def write(shell: Shell, text: str) -> None:
    """A file of the page: its first line names it. A block without a name replaces the last line of the hosts."""
    if named := re.match(r"# (\S+)\n", text):
        path = shell.home / "airflow" / named[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return
    hosts = shell.home / "airflow/inventory/hosts.yml"
    hosts.write_text("".join(hosts.read_text().splitlines(keepends=True)[:-1]) + text)


def printed(shell: Shell, text: str) -> None:
    """What the page shows is what the last command printed; "..." stands for anything."""
    for line in text.replace("/home/you", str(shell.home)).splitlines():
        assert re.search(re.escape(line).replace(re.escape("..."), ".*"), shell.output), f"{line}\n{shell.output}"


def section(shell: Shell, text: str, archives: list[Path]) -> None:
    """Type, write and compare what is in one section."""
    for language, content in FENCE.findall(text):
        if language == "console":
            for line in content.replace("\\\n", "").splitlines():
                if line == GALAXY:
                    line = f"ansible-galaxy collection install --offline {' '.join(map(str, archives))}"
                shell.must(line)
        elif language == "text":
            printed(shell, content)
        else:
            write(shell, content)


def mistake(shell: Shell) -> None:
    """Step 4: a group that does not exist."""
    hosts = shell.home / "airflow/inventory/hosts.yml"
    right = hosts.read_text()
    hosts.write_text(right.replace("airflow_worker:", "airflow_wroker:"))
    assert shell.type("ansible-playbook flightdeck.airflow.validate -i inventory") != 0
    assert re.search(r"FD\d+ .*airflow_wroker.*airflow_worker", shell.output), shell.output
    hosts.write_text(right)


class Browser:
    """Airflow's API, with the CA that the page says to import and the password that it shows."""

    def __init__(self, shell: Shell) -> None:
        inventory = shell.home / "airflow/inventory"
        self.context = ssl.create_default_context(cafile=str(inventory / ".airflow_ca.crt"))
        shown = shell.must("ansible-vault view inventory/.airflow_secrets.yml | grep airflow_admin_password")
        password = yaml.safe_load(shown)["airflow_admin_password"]
        self.token = ""
        self.token = self.ask("/auth/token", {"username": "admin", "password": password})["access_token"]

    def ask(self, path: str, content: Any = None, method: str = "") -> Any:
        """The answer to a request, JSON or text."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(
            f"https://{LAB}.11:8443{path}", data, headers, method=method or ("POST" if data else "GET")
        )
        with urllib.request.urlopen(request, context=self.context, timeout=60) as answer:
            return json.loads(answer.read())


def run_hello(shell: Shell) -> None:
    """Step 7: switch the DAG on, trigger it, read the log of its task."""
    browser = Browser(shell)
    began = time.monotonic()
    dag = "/api/v2/dags/hello"
    assert browser.ask(dag)["is_paused"] is True
    browser.ask(dag, {"is_paused": False}, method="PATCH")
    run = browser.ask(f"{dag}/dagRuns", {"logical_date": None})["dag_run_id"]
    run_path = f"{dag}/dagRuns/{urllib.request.quote(run)}"
    while (state := browser.ask(run_path)["state"]) not in ("success", "failed"):
        assert time.monotonic() - began < 300, state
        time.sleep(1)
    assert state == "success"
    assert "Hello from a worker" in json.dumps(browser.ask(f"{run_path}/taskInstances/greet/logs/1"))
    shell.times.append(("(run the DAG in the UI)", time.monotonic() - began))


def changes_nothing(shell: Shell) -> None:
    """Step 8: the plan named the new service; a further run."""
    assert "airflow-worker@reports" in shell.planned
    output = shell.must("ansible-playbook flightdeck.airflow.site -i inventory")
    assert re.findall(r"^(node\d) .*changed=(\d+)", output, re.MULTILINE) == [
        (name, "0") for name in MACHINES.values()
    ], output


AFTER = {"4": mistake, "7": run_hello, "8": changes_nothing}


def test_the_page_works_as_it_is_typed(shell: Shell, archives: list[Path]) -> None:
    page = PAGE.read_text().replace("192.0.2.", f"{LAB}.")
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    try:
        for text in sections:
            number = re.match(r"(\d*)", text)[1]  # type: ignore[index]
            if number == "4":
                packages = shell.home / "airflow/inventory/group_vars/all/packages.yml"
                packages.parent.mkdir(parents=True)
                packages.write_text(PACKAGES.read_text())
            section(shell, text, archives)
            AFTER.get(number, lambda _shell: None)(shell)
    finally:
        rows = [f"{seconds:7.1f} s  {line[:110]}" for line, seconds in shell.times]
        rows.append(f"{sum(seconds for _line, seconds in shell.times):7.1f} s  together")
        target = ROOT / "artefacts/tutorial.txt"
        target.parent.mkdir(exist_ok=True)
        target.write_text("\n".join(rows) + "\n")
