"""Rendered files, checked by the programs of this machine and by what reads them in Python."""

from __future__ import annotations

import ast
import configparser
import ipaddress
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import data
from fuzz_verdict import FaultError, File, Verdict

NUMBER_OF_LINES = 40
# What Ansible and Python show of a value that is none.
INTERNAL = ("__omit_place", "_AnsibleTagged", "AnsibleUndefined", "<class '", " object at 0x")


def check(file: File, known: Verdict, counts: Counter[str]) -> None:
    """Check one ``file`` here. Raises FaultError. ``counts`` are the files that each program has checked."""
    name = file.path.rpartition("/")[2]
    if sign := next((sign for sign in INTERNAL if sign in file.content), ""):
        raise FaultError(f"{file.path} of {file.host}: {sign!r} in it")
    try:
        if name == "airflow.cfg":
            _airflow_cfg(file, known)
            counts["airflow.cfg by configparser"] += 1
        elif file.path == "/etc/airflow/environment":
            _environment(file, known)
            counts["environment by sh"] += 1
        elif file.path == "/etc/nftables.conf":
            _run(["nft", "--check", "--file", "-"], file.content)
            counts["nft"] += 1
        elif name.endswith((".py", "flightdeck-check-haproxy")):
            compile(file.content, file.path, "exec", flags=ast.PyCF_ONLY_AST)
            counts["Python"] += 1
        elif file.path == "/usr/local/bin/airflow":
            _run(["sh", "-n"], file.content)
            counts["sh"] += 1
        elif name.endswith(".json"):
            json.loads(file.content)
            counts["JSON"] += 1
        elif file.path.startswith("/etc/airflow/secrets/") and "://" in file.content:
            # SQLAlchemy and kombu read URLs like this one.
            parts = urlsplit(file.content)
            # Where the queues of SQS are stands elsewhere.
            if parts.scheme != "sqs" and not (parts.hostname and parts.port):
                raise ValueError("a URL without a host or a port")
            counts["secret URLs"] += 1
        elif file.path == "/etc/hosts":
            _hosts(file)
            counts["hosts"] += 1
        elif name == "mysql.cnf":
            configparser.RawConfigParser().read_string(file.content)
            counts["mysql.cnf"] += 1
    except (ValueError, SyntaxError, configparser.Error, subprocess.SubprocessError) as error:
        raise FaultError(f"{file.path} of {file.host}: {type(error).__name__} {error}") from error


def _run(command: list[str], text: str) -> str:
    done = subprocess.run(command, input=text.encode("utf-8", "surrogatepass"), capture_output=True, check=False)
    if done.returncode:
        lines = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()[:NUMBER_OF_LINES]
        raise ValueError(f"{command[0]}: " + "\n".join(lines))
    return done.stdout.decode("utf-8", "surrogatepass")


def _airflow_cfg(file: File, known: Verdict) -> None:
    """Airflow reads each option as the model has it, and what the user wrote."""
    # Airflow's own parser is this one, with its defaults.
    parser = configparser.ConfigParser()
    parser.read_string(file.content)
    options = known.cluster["nodes"][file.host]["airflow"]["config"]
    for section, entries in options.items():
        for option, value in entries.items():
            found = parser.get(section, option)
            wanted = json.dumps(value, sort_keys=True) if isinstance(value, (dict, list)) else str(value)
            if found != wanted.rstrip("\n") and data(found) != data(wanted):
                raise ValueError(f"{section}.{option}: {found!r} instead of {wanted!r}")
    for section, entries in known.result["config"].items():
        for option, value in entries.items():
            if value is None or isinstance(data(value), (dict, list)):
                continue
            found = parser.get(section, option)
            if found != str(value).rstrip("\n"):
                raise ValueError(f"{section}.{option}: {found!r} instead of the {value!r} of airflow_config")


def systemd_environment(text: str) -> dict[str, str]:
    """What systemd reads from an environment file of quoted values."""
    found = {}
    for line in text.splitlines():
        if match := re.fullmatch(r'(\w+)="((?:[^"\\]|\\.)*)"', line):
            # Within double quotes a backslash is dropped before these only.
            found[match[1]] = re.sub(r'\\(["\\`$])', r"\1", match[2])
        elif line and not line.startswith("#"):
            raise ValueError(f"line {line!r}")
    return found


def _environment(file: File, known: Verdict) -> None:
    script = f"set -eu\nset -a\n{file.content}\nexec env -0\n"
    done = subprocess.run(
        ["env", "-i", "/bin/sh", "-s"],
        input=script.encode("utf-8", "surrogatepass"),
        capture_output=True,
        check=True,
    )
    text = done.stdout.decode("utf-8", "surrogatepass")
    shell = dict(entry.split("=", 1) for entry in text.split("\0") if entry and not entry.startswith(("PWD=", "_=")))
    systemd = systemd_environment(file.content)
    wrong = {name for name in systemd if shell.get(name) != systemd[name]}
    if wrong:
        raise ValueError(f"sh and systemd read {sorted(wrong)} differently")
    own = known.result["environment"][file.host]
    for name, value in own.items():
        if systemd.get(name) != str(value):
            raise ValueError(f"{name}: {systemd.get(name)!r} instead of {value!r}")


def _hosts(file: File) -> None:
    for line in file.content.splitlines():
        words = line.split()
        if words:
            address, _name = words
            ipaddress.ip_address(address)


def units(files: Iterable[File], directory: Path) -> None:
    """Check the units among the ``files`` of one host by systemd-analyze. Raises FaultError."""
    paths = []
    for file in files:
        folder, _, name = file.path.rpartition("/")
        if folder == "/etc/systemd/system" and name.endswith((".service", ".slice", ".timer")):
            path = directory / name
            # The programs are not on this machine; what is judged is the unit.
            path.write_text(
                re.sub(
                    r"^(Exec\w+=)\S*(airflow|flightdeck-[a-z-]+|airflow-health|rabbitmq-watchdog)(?= |$)",
                    r"\1/bin/true",
                    file.content,
                    flags=re.M,
                )
            )
            paths.append(str(path))
    if not paths:
        return
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if str(directory) in line or "airflow" in line]
    if complaints:
        raise FaultError("systemd-analyze: " + "\n".join(complaints[:NUMBER_OF_LINES]))


def batch(known: Verdict, host: str, files: Iterable[File]) -> dict[str, Any]:
    """What the container needs to check the ``files`` of one host."""
    node = known.cluster["nodes"][host]
    names = sorted({each["address"] for each in known.cluster["nodes"].values() if not _is_number(each["address"])})
    return {
        "host": host,
        "address": node["address"],
        "names": names,
        "files": {file.path: file.content for file in files},
    }


def _is_number(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True
