# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""What a host is and has: read from /proc, /etc and the file systems, without a command and without a package."""

from __future__ import annotations

import contextlib
import ctypes
import glob
import grp
import json
import os
import pwd
import re
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.module_utils import _etcd, _metadata, _systemd

MARK = "/etc/airflow/cluster"
# When the host was removed from the cluster.
REMOVED = "/var/lib/flightdeck/removed"
FIREWALL = "/etc/flightdeck/firewall.nft"
# Of the family inet.
FIREWALL_TABLE = "flightdeck"
# What the roles leave behind on a host, and the sign of an installation that is not theirs.
_DROP_IN = {
    "etcd": "/etc/systemd/system/etcd.service.d/airflow.conf",
    "metastore": "/etc/systemd/system/postgresql@*-main.service.d/airflow.conf",
    "patroni": "/etc/systemd/system/patroni.service.d/airflow.conf",
    "rabbitmq": "/etc/systemd/system/rabbitmq-server.service.d/airflow.conf",
    "redis": "/etc/systemd/system/redis-server.service.d/airflow.conf",
    "haproxy": "/etc/systemd/system/haproxy.service.d/airflow.conf",
}
# What tells that something of the roles is left on a host.
_TRACES = (
    "/etc/airflow",
    "/etc/*/airflow-tls",
    "/etc/patroni/airflow",
    "/etc/flightdeck",
    "/etc/systemd/system/airflow*",
    "/etc/systemd/system/flightdeck*",
    "/etc/systemd/system/*.d/airflow.conf",
    f"/etc/systemd/system/*.d/{_systemd.DROP_IN}",
    "/usr/local/bin/airflow*",
    "/usr/local/sbin/flightdeck*",
    f"{_systemd.RECORDS}/*",
)
# Services that a setting switches on and off, and the unit by which each is known.
_SWITCHED = {
    "keepalived": "keepalived",
    "pgbouncer": "pgbouncer",
    "metrics": "prometheus-exporter-exporter",
    "monitoring": "prometheus",
    "backup": "pgbackrest",
}
# The same of units of our own.
_SWITCHED_UNITS = {
    # Where dumps are made, there is no pgBackRest.
    "backup": "flightdeck-backup@",
    "journal": "flightdeck-journal-sender",
    "journal_receiver": "flightdeck-journal-receiver",
}
# Timers that a setting switches on and off.
_TIMERS = ("flightdeck-db-clean",)
_SECRETS_DIR = "/etc/airflow/secrets"
# Paths of what the roles wrote for the user.
_OWN_FILES = "/etc/airflow/own_files.json"
# Data of members; those of Debian's own etcd are elsewhere.
_ETCD_LOG = "/var/lib/etcd/airflow/member/wal/*.wal"
_MNESIA = "/var/lib/rabbitmq/mnesia"
_POSTGRESQL_DATA = "/var/lib/postgresql/*/main/PG_VERSION"
# Of Airflow's database: the tables that a statement needs, and the statement.
_CONTENTS = {
    "schema": ({"alembic_version"}, "SELECT version_num FROM alembic_version"),
    "token": (_metadata.TABLES, _metadata.ENCRYPTED),
}
_TABLES = sorted({table for tables, _statement in _CONTENTS.values() for table in tables})
# Names of hosts; from the second one, cloud-init may write the first one at every boot.
HOSTS_FILES = ("/etc/hosts", "/etc/cloud/templates/hosts.debian.tmpl")
# Seconds that a command may take.
_COMMAND_SECONDS = 60
# Seconds that all look-ups of names together may take.
_RESOLVE_SECONDS = 20.0


def unwrapped(wrappers: Mapping[str, str], directory: str = _systemd.UNIT_DIR) -> list[str]:
    """Those of the units in ``wrappers`` that are on this host and do not run the program that stands beside them."""
    texts = {unit: read(f"{directory}/{unit}") for unit in wrappers}
    return [unit for unit, text in texts.items() if text and wrappers[unit] not in text]


def units(patterns: Iterable[str], directory: str = _systemd.UNIT_DIR) -> dict[str, bool]:
    """Paths of the unit files whose names match ``patterns``, and whether the roles wrote them."""
    paths = sorted(path for pattern in patterns for path in glob.glob(f"{directory}/{pattern}"))
    return {path: os.path.exists(f"{path}.d/{_systemd.DROP_IN}") for path in paths}


# Of webservers, and of those with a directory of users (plugins/plugin_utils/_catalog/paths.py).
_LOGIN_FILES = (
    "/etc/airflow/webserver_config.py",
    *(f"/etc/airflow/python/{name}" for name in ("ldap", "ldapurl.py", "ldif.py", "_ldap.so")),
)


def component_files(paths: Iterable[str], secrets: str = _SECRETS_DIR) -> list[str]:
    """Paths of the secrets on this host, and of what there is of those other ``paths`` and of the files for logins."""
    others = [path for path in (*paths, *_LOGIN_FILES) if os.path.lexists(path)]
    return sorted([*glob.glob(f"{secrets}/*"), *others])


def own_files(record: str = _OWN_FILES) -> list[str]:
    """Paths on this host of what the roles wrote for the user."""
    try:
        return [str(path) for path in json.loads(read(record) or "[]")]
    except ValueError:
        # A file that was edited names nothing: what it named stays.
        return []


def read(path: str) -> str:
    """Content of a small text file, or empty when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def parse_os_release(text: str) -> dict[str, str]:
    """Name, release and code name as Ansible's own facts call them."""
    pairs = dict(re.findall(r"^([A-Z_]+)=\"?([^\"\n]*)\"?$", text, re.MULTILINE))
    name = {"debian": "Debian", "ubuntu": "Ubuntu"}.get(pairs.get("ID", ""), pairs.get("NAME", "unknown"))
    version = pairs.get("VERSION_ID", "")
    return {
        "distribution": name,
        "distribution_version": version,
        "distribution_major_version": version.partition(".")[0],
        "distribution_release": pairs.get("VERSION_CODENAME", ""),
    }


def parse_memory_mb(text: str) -> int:
    """The memory of /proc/meminfo in MiB, 0 when it is not told."""
    found = re.search(r"^MemTotal:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) // 1024 if found else 0


def parse_listeners(text: str) -> dict[int, dict[str, int]]:
    """Ports in the state LISTEN with the inodes of their sockets and who made them (user ids), from /proc/net/tcp
    or tcp6."""
    ports: dict[int, dict[str, int]] = {}
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == "0A":
            ports.setdefault(int(fields[1].rpartition(":")[2], 16), {})[fields[9]] = int(fields[7])
    return ports


def parse_unit(text: str) -> str:
    """The systemd unit of a process, from its /proc/<pid>/cgroup; empty when it is in none."""
    paths = dict(reversed([line.split(":", 2)[1:] for line in text.splitlines() if line.count(":") >= 2]))
    path = paths.get("name=systemd") or paths.get("") or ""
    units = [part for part in path.split("/") if part.endswith((".service", ".scope"))]
    return units[-1] if units else ""


def owners(inodes: set[str]) -> dict[str, int]:
    """The process that holds each socket; stops when all are found.

    Those of other users are visible to root only, and in a container without CAP_SYS_PTRACE not even to root.
    """
    found: dict[str, int] = {}
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    for pid in sorted((name for name in os.listdir("/proc") if name.isdecimal()), key=int):
        if len(found) == len(inodes):
            break
        try:
            with os.scandir(f"/proc/{pid}/fd") as entries:
                for entry in entries:
                    inode = wanted.get(os.readlink(entry.path))
                    if inode and inode not in found:
                        found[inode] = int(pid)
        except OSError:
            # It ended meanwhile, or is another user's.
            continue
    return found


def user_name(uid: int) -> str:
    """Name of a user, or the number when there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def account(name: str, uid: int, gid: int) -> dict[str, Any]:
    """Numbers of the account ``name`` and of the group of that name, local or of a directory service; None without one.

    ``uid_holder`` and ``gid_holder`` are who has the numbers ``uid`` and ``gid``; empty when a number is free or 0.
    """
    found: dict[str, Any] = {"uid": None, "gid": None, "uid_holder": "", "gid_holder": ""}
    with contextlib.suppress(KeyError):
        found["uid"] = pwd.getpwnam(name).pw_uid
    with contextlib.suppress(KeyError):
        found["gid"] = grp.getgrnam(name).gr_gid
    with contextlib.suppress(KeyError):
        found["uid_holder"] = pwd.getpwuid(uid).pw_name if uid else ""
    with contextlib.suppress(KeyError):
        found["gid_holder"] = grp.getgrgid(gid).gr_name if gid else ""
    return found


def groups_of(name: str) -> tuple[int, tuple[int, ...]]:
    """Number of the account ``name`` and of all groups that its services run with; -1 and none without the account."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return -1, ()
    groups = set(os.getgrouplist(name, entry.pw_gid))
    with contextlib.suppress(KeyError):
        groups.add(grp.getgrnam(name).gr_gid)
    return entry.pw_uid, tuple(sorted(groups))


def may_enter(directory: os.stat_result, uid: int, gids: Iterable[int]) -> bool:
    """Whether the mode of a ``directory`` lets the account ``uid`` with the groups ``gids`` enter it."""
    others = stat.S_IXGRP if directory.st_gid in gids else stat.S_IXOTH
    return bool(directory.st_mode & (stat.S_IXUSR if directory.st_uid == uid else others))


def closed_directory(path: str, uid: int, gids: Iterable[int]) -> str:
    """The first directory above ``path`` that the account ``uid`` with the groups ``gids`` cannot enter; empty for
    none.

    What does not exist is created open. A directory with an access control list counts as open.
    """
    parts = [part for part in os.path.realpath(os.path.dirname(path)).split("/") if part]
    for above in ("/", *("/" + "/".join(parts[:count]) for count in range(1, len(parts) + 1))):
        if not os.path.isdir(above):
            return ""
        with contextlib.suppress(OSError):
            if "system.posix_acl_access" in os.listxattr(above):
                continue
        if not may_enter(os.stat(above), uid, gids):
            return above
    return ""


def hidden_processes(name: str, mounts: str) -> str:
    """The option of /proc in ``mounts``, text of /proc/mounts, that hides processes from the account ``name``.

    Empty when there is none, or when the account is in the group that the option ``gid`` excepts.
    """
    lines = [line.split() for line in mounts.splitlines()]
    options = next((fields[3] for fields in reversed(lines) if len(fields) > 3 and fields[1] == "/proc"), "").split(",")
    given = dict(option.partition("=")[::2] for option in options)
    if given.get("hidepid", "0") in ("0", "off"):
        return ""
    with contextlib.suppress(KeyError, ValueError):
        group = grp.getgrgid(int(given.get("gid", "0")))
        if name in group.gr_mem or pwd.getpwnam(name).pw_gid == group.gr_gid:
            return ""
    return f"hidepid={given['hidepid']}"


def switched_services(directory: str = _systemd.UNIT_DIR) -> list[str]:
    """Those services of this host that a setting switches on and off, as the roles left them."""
    found = [
        *(name for name, unit in _SWITCHED.items() if os.path.exists(f"{directory}/{unit}.service.d/airflow.conf")),
        *(name for name, unit in _SWITCHED_UNITS.items() if os.path.exists(f"{directory}/{unit}.service")),
        *(name for name in _TIMERS if os.path.exists(f"{directory}/{name}.timer")),
    ]
    return list(dict.fromkeys(found))


def hosts_files(paths: Iterable[str] = HOSTS_FILES) -> dict[str, bool]:
    """Those of ``paths`` that exist, and whether the roles have written the cluster's hosts into them."""
    return {path: "# BEGIN flightdeck" in read(path).splitlines() for path in paths if os.path.exists(path)}


def listeners(ports: Iterable[int]) -> dict[str, dict[str, Any]]:
    """Who listens on ``ports``, by port as text: user, and process, process id and systemd unit where they can be
    seen (else empty, 0)."""
    open_ports: dict[int, dict[str, int]] = {}
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        for port, inodes in parse_listeners(read(name)).items():
            open_ports.setdefault(port, {}).update(inodes)
    taken = {port: open_ports[port] for port in ports if port in open_ports}
    holders = owners({inode for inodes in taken.values() for inode in inodes})
    result = {}
    for port, inodes in taken.items():
        pid = next((holders[inode] for inode in sorted(inodes) if inode in holders), 0)
        result[str(port)] = {
            "user": user_name(min(inodes.values())),
            "pid": pid,
            "process": read(f"/proc/{pid}/comm").strip() if pid else "",
            "unit": parse_unit(read(f"/proc/{pid}/cgroup")) if pid else "",
        }
    return result


def space(path: str) -> dict[str, Any]:
    """Free MiB and inodes where ``path`` is or will be, its file system, so that two paths on one are recognised, and
    whether it runs no programs.

    ``owner`` is that of ``path`` itself; empty when it does not exist.
    """
    existing = path
    while not os.path.exists(existing) and existing != "/":
        existing = os.path.dirname(existing)
    try:
        system = os.statvfs(existing)
        owner = user_name(os.stat(existing).st_uid) if existing == path else ""
        noexec = bool(system.f_flag & os.ST_NOEXEC)
        device = os.stat(existing).st_dev
    except OSError as error:
        return {"error": error.strerror or "cannot be read"}
    # A file system without a fixed number of inodes says 0.
    inodes = system.f_favail if system.f_files else -1
    return {
        "free_mb": system.f_bavail * system.f_frsize // 1024**2,
        "free_inodes": inodes,
        "device": device,
        "noexec": noexec,
        "owner": owner,
    }


def resolve(names: Iterable[str]) -> dict[str, list[str]]:
    """Addresses of each name, none for one that has none or whose look-up takes too long."""
    found: dict[str, list[str]] = {name: [] for name in names}

    def ask(name: str) -> None:
        try:
            found[name] = sorted(
                {str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
            )
        except OSError:
            found[name] = []

    threads = [threading.Thread(target=ask, args=(name,), daemon=True) for name in found]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + _RESOLVE_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(found)


def identity() -> str:
    """A text that only one machine or container has: two names with the same one are the same host."""
    namespaces = []
    for name in ("mnt", "net"):
        # Of the first process, where it can be read: a service may have a name space of its own.
        for process in ("1", "self"):
            try:
                namespaces.append(os.readlink(f"/proc/{process}/ns/{name}"))
                break
            except OSError:
                continue
    boot = read("/proc/sys/kernel/random/boot_id").strip()
    return " ".join([boot, *namespaces]) if boot and len(namespaces) == 2 else ""


def releases(root: str) -> dict[str, Any]:
    """Whole releases below ``root``, and the one in use."""
    marks = glob.glob(os.path.join(glob.escape(root), "releases", "*", "release.json"))
    link = os.path.join(root, "current")
    return {
        "installed": sorted(os.path.basename(os.path.dirname(mark)) for mark in marks),
        "current": os.path.basename(os.readlink(link)) if os.path.islink(link) else "",
    }


def traces(patterns: Iterable[str] = _TRACES) -> list[str]:
    """Paths on this host by which the roles would be known."""
    return sorted(path for pattern in patterns for path in glob.glob(pattern))


def unmanaged_files(groups: Iterable[str], component_units: Mapping[str, bool]) -> list[str]:
    """Data and configurations of the services in ``groups`` that the roles did not make.

    ``component_units`` is what ``units`` returned.
    """
    found = []
    for group in groups:
        if group in _DROP_IN and glob.glob(_DROP_IN[group]):
            continue
        if group == "metastore":
            found += glob.glob("/etc/postgresql/*/main/postgresql.conf") + glob.glob(_DROP_IN["patroni"])
        elif group == "patroni":
            found += glob.glob("/etc/postgresql/*/main/postgresql.conf")
        elif group == "etcd":
            found += glob.glob("/var/lib/etcd/*/member")
        elif group == "rabbitmq":
            found += [path for path in glob.glob(f"{_MNESIA}/*") if os.path.isdir(path)]
        elif group == "redis":
            found += glob.glob("/var/lib/redis/*")
        elif group == "haproxy" and re.search(
            r"^(frontend|backend|listen)\b", read("/etc/haproxy/haproxy.cfg"), re.MULTILINE
        ):
            found.append("/etc/haproxy/haproxy.cfg")
    if "airflow" in groups:
        found += [path for path, ours in component_units.items() if not ours]
    return found


def interfaces() -> dict[str, str]:
    """Network interface by address."""
    links = json.loads(run("ip", "-json", "address") or "[]")
    return {entry["local"]: link["ifname"] for link in links for entry in link.get("addr_info", []) if "local" in entry}


def processors() -> int:
    """Processors that this process may use, as Ansible's processor_nproc."""
    return len(os.sched_getaffinity(0))


def run(*command: str, codes: Iterable[int] = (0,)) -> str | None:
    """What a command says on its standard output; None when it cannot be run, takes too long, or ends with none of the
    exit ``codes``.

    None is no answer, which is another thing than an empty one: the caller decides what follows from it.
    """
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_SECONDS,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode in codes else None


def postgresql_data(pattern: str = _POSTGRESQL_DATA) -> bool:
    """Whether there is the data directory of a PostgreSQL server."""
    return bool(glob.glob(pattern))


def database(name: str, port: int, data: str = _POSTGRESQL_DATA) -> dict[str, str] | None:
    """What Airflow's database ``name`` holds in the PostgreSQL server of this host: its schema version, and a text that
    is encrypted in it.

    A key is missing where the database has nothing of it: on a host without a server's data, without the database, or
    before the first migration. None when there are data and the server on ``port`` does not answer.
    """
    if not postgresql_data(data):
        return {}
    databases = _query("postgres", port, "SELECT datname FROM pg_database")
    if databases is None or name not in databases:
        return None if databases is None else {}
    tables = _query(
        name, port, f"SELECT name FROM unnest(ARRAY{list(_TABLES)}) AS name WHERE to_regclass(name) IS NOT NULL"
    )
    if tables is None:
        return None
    found: dict[str, str] = {}
    for key, (needed, statement) in _CONTENTS.items():
        if not needed <= set(tables):
            continue
        rows = _query(name, port, statement)
        if rows is None:
            return None
        found |= {key: rows[0]} if rows else {}
    return found


def _query(name: str, port: int, statement: str) -> list[str] | None:
    """Lines of the answer to ``statement`` in the database ``name``, as the server's superuser; None without an
    answer."""
    command = ["psql", "--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--no-password", "--username=postgres"]
    said = run(*command, "--host=/var/run/postgresql", f"--port={port}", f"--dbname={name}", f"--command={statement}")
    return None if said is None else said.splitlines()


def etcd(client_url: str, peer_url: str, wal: str = _ETCD_LOG) -> dict[str, Any]:
    """Whether there are data of the etcd member at the two URLs, and the members that it knows; None for these when it
    does not answer.

    A member that was refused by the others has a directory, but no log. One that waits for the others, as at the first
    start of all, answers its peers only.
    """
    if not glob.glob(wal):
        return {"data": False, "members": []}
    listed: list[_etcd.Member] | None
    try:
        listed = _etcd.members(run(*_etcd.command(client_url, "member", "list", "--write-out=json")) or "")
    except ValueError:
        listed = _etcd.seen_by_peer(peer_url)
    return {"data": True, "members": listed}


def rabbitmq(node: str, directory: str = _MNESIA) -> dict[str, Any]:
    """Whether there are data of the RabbitMQ ``node``, and its cluster as it stands in them; None for that when it
    cannot be read.

    A node that was refused by the others has written no schema.
    """
    if not os.path.exists(f"{directory}/{node}/schema.DAT"):
        return {"data": False, "members": []}
    known = sorted(set(re.findall(r"[\w-]+@[\w.-]+", read(f"{directory}/{node}/cluster_nodes.config"))))
    return {"data": True, "members": known or None}


def parse_dpkg_status(text: str) -> list[str]:
    """Names of the packages that dpkg's file of states calls installed."""
    return re.findall(r"^Package: (\S+)\nStatus: \S+ ok installed$", text, re.MULTILINE)


def installed_packages() -> list[str]:
    """Names of the Debian packages that are installed and configured."""
    return parse_dpkg_status(read("/var/lib/dpkg/status"))


def without_candidate(packages: Iterable[str], installed: Collection[str]) -> list[str] | None:
    """Those of ``packages`` that are not ``installed`` and that apt could not install; None when apt does not answer.

    None of them when apt has no lists yet: roles fetch them.
    """
    missing = [name for name in packages if name not in installed]
    if not missing or not glob.glob("/var/lib/apt/lists/*_Packages*"):
        return []
    # Asked together with a package that every host has: without an answer for that one, apt gave none.
    # It may end with 100 for a package of which it has not even the name.
    text = run("apt-cache", "policy", "dpkg", *missing, codes=(0, 100)) or ""
    return parse_policy(text, missing) if text.startswith("dpkg:") else None


def parse_policy(text: str, names: Iterable[str]) -> list[str]:
    """Of ``names`` those for which ``apt-cache policy`` has no candidate; all when it says nothing of them."""
    candidates = dict(re.findall(r"^(\S+):\n(?:  .*\n)*?  Candidate: (\S+)$", text, re.MULTILINE))
    return [name for name in names if candidates.get(name, "(none)") == "(none)"]


def container() -> bool:
    """Whether the host is a container, whose clock and limits are those of another machine."""
    return os.path.exists("/run/systemd/container")


def synchronised() -> bool | None:
    """Whether a time service keeps the kernel's clock; None where the kernel does not say."""
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(1024))
    except (OSError, AttributeError):
        return None
    # The state of the clock is what the function returns; -1 is a failure, 5 is TIME_ERROR, a clock without a service.
    return None if state < 0 else state != 5


def unattended_upgrades() -> bool:
    """Whether packages of the services may be upgraded, and so restarted, at any time."""
    if not os.path.exists("/usr/bin/unattended-upgrade"):
        return False
    text = "\n".join(read(path) for path in sorted(glob.glob("/etc/apt/apt.conf.d/*")))
    return parse_unattended(text)


def parse_unattended(text: str) -> bool:
    """Whether apt's configuration switches them on and keeps none of our packages out."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("//", "#")))
    switched_on = re.findall(r'APT::Periodic::Unattended-Upgrade\s+"(\d+)"', lines)
    kept_out = re.search(r"Package-Blacklist\s*\{[^}]*(postgresql|rabbitmq|redis|haproxy)", lines)
    return bool(switched_on) and switched_on[-1] != "0" and not kept_out
