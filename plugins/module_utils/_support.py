# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""What a host has to say when something is wrong: configuration, states and journals, within bounds. Read-only."""

from __future__ import annotations

import contextlib
import fnmatch
import glob
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

# Configuration and units. What holds secrets only is left out.
FILES = (
    "/etc/airflow/*",
    "/etc/airflow/environment.d/*",
    "/etc/airflow/python/*",
    "/etc/etcd/*",
    "/etc/haproxy/*",
    "/etc/hosts",
    "/etc/keepalived/*",
    "/etc/nftables.conf",
    "/etc/nftables.d/*",
    "/etc/os-release",
    "/etc/patroni/airflow/*",
    "/etc/pgbouncer/*",
    "/etc/postgresql/*/main/*.conf",
    "/etc/postgresql/*/main/conf.d/*",
    "/etc/rabbitmq/*",
    "/etc/rabbitmq/conf.d/*",
    "/etc/redis/*",
    "/etc/systemd/system/airflow*",
    "/etc/systemd/system/flightdeck*",
    "/etc/systemd/system/rabbitmq-watchdog*",
    "/etc/systemd/system/*.service.d/*.conf",
)
LEFT_OUT = (
    "*.acl",
    "*.digest",
    "*.key",
    "*.keytab",
    "*.pem",
    "*.secret",
    "*_users.txt",
    "/etc/haproxy/users.cfg",
    "/etc/patroni/airflow/secrets.yml",
    "/etc/rabbitmq/definitions.json",
    "userlist.txt",
)
# By the name of the file in the bundle.
COMMANDS: dict[str, list[str]] = {
    "clock.txt": ["timedatectl"],
    "disks.txt": ["df", "--human-readable", "--print-type"],
    "inodes.txt": ["df", "--inodes"],
    "kernel.txt": ["uname", "--all"],
    "memory.txt": ["free", "--mebi"],
    "network.txt": ["ip", "address"],
    "firewall.txt": ["nft", "list", "ruleset"],
    "packages.txt": ["dpkg-query", "--show"],
    "ports.txt": ["ss", "--listening", "--numeric", "--processes", "--tcp"],
    "processes.txt": ["ps", "-e", "-o", "pid,ppid,user,stat,rss,etime,time,comm"],
    "timers.txt": ["systemctl", "list-timers", "--all", "--no-pager"],
    "units.txt": ["systemctl", "list-units", "--all", "--no-pager", "--type=service,timer,socket"],
    "uptime.txt": ["uptime"],
}
# Patterns of units whose journals are collected, each in a file of its own.
JOURNALS = (
    "airflow-*",
    "airflow-watchdog@*",
    "etcd*",
    "flightdeck-*",
    "haproxy*",
    "keepalived*",
    "patroni*",
    "pgbouncer*",
    "postgresql*",
    "rabbitmq-*",
    "redis-*",
)
_FILE_BYTES = 1024**2
_COMMAND_SECONDS = 60


@dataclass
class Collected:
    """Texts by their path in the bundle, up to ``room`` bytes; ``notes`` say what is missing."""

    room: int
    texts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, path: str, data: bytes) -> None:
        """Add a text, or note that there is no room for it."""
        if len(data) > self.room:
            self.notes.append(f"{path}: left out, {len(data)} bytes are more than there was room for")
            return
        self.room -= len(data)
        self.texts[path] = data.decode("utf-8", "replace")


def files(patterns: Sequence[str] = FILES, left_out: Sequence[str] = LEFT_OUT) -> list[str]:
    """Plain files that match one of the ``patterns`` and none of ``left_out``, of the whole path or its last part."""
    found = {path for pattern in patterns for path in glob.glob(pattern) if os.path.isfile(path)}
    return sorted(path for path in found if not any(_matches(path, pattern) for pattern in left_out))


def _matches(path: str, pattern: str) -> bool:
    return path == pattern if pattern.startswith("/") else fnmatch.fnmatch(os.path.basename(path), pattern)


def collect(room: int, hours: int, mark: str = "/etc/airflow/cluster") -> Collected:
    """Everything of this host: at most ``room`` bytes, journals of the last ``hours``, the newest lines of each."""
    found = Collected(room)
    for path in files():
        try:
            with open(path, "rb") as stream:
                data = stream.read(_FILE_BYTES)
        except OSError as error:
            found.notes.append(f"{path}: {error.strerror}")
            continue
        found.add(f"files{path}", data)
    for name, command in COMMANDS.items():
        found.add(f"commands/{name}", said(command))
    # What is left is for the journals: each gets the same share, and what others leave of theirs.
    for number, pattern in enumerate(JOURNALS):
        share = found.room // (len(JOURNALS) - number)
        data = newest(journal(pattern, hours), share)
        if data:
            found.add(f"journals/{pattern.strip('*@-').replace('*', '')}.log", data)
    if not os.path.exists(mark):
        found.notes.append(f"{mark}: it does not exist, so no deployment of Airflow has reached this host")
    return found


def said(command: Sequence[str]) -> bytes:
    """What ``command`` says, or why it says nothing."""
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, timeout=_COMMAND_SECONDS, env={**os.environ, "LC_ALL": "C"}
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}\n".encode()
    return done.stdout + done.stderr


def journal(pattern: str, hours: int) -> Iterator[bytes]:
    """Lines of the journal of the units that match ``pattern``, the newest first."""
    command = ["journalctl", "--no-pager", "--quiet", "--reverse", "--output=short-iso", f"--since=-{hours}h"]
    with contextlib.suppress(OSError):
        with subprocess.Popen(
            [*command, f"--unit={pattern}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as running:
            try:
                yield from running.stdout or ()
            finally:
                running.kill()


def newest(lines: Iterable[bytes], room: int) -> bytes:
    """The first of ``lines`` that fit into ``room`` bytes, in the opposite order."""
    kept: list[bytes] = []
    for line in lines:
        room -= len(line)
        if room < 0:
            break
        kept.append(line)
    return b"".join(reversed(kept))
