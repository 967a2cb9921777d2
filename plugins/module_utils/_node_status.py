# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""What the services of one host say about themselves: parsers and probes, without Ansible. Read-only."""

from __future__ import annotations

import csv
import io
import json
import re
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.module_utils import _backups, _etcd, _rabbitmq_api
from ansible_collections.flightdeck.airflow.plugins.module_utils._rows import (
    CLUSTER,
    DEGRADED,
    FAILED,
    OK,
    Row,
    Value,
    row,
)

# HAProxy's states of a server that an operator sets.
_PLANNED = ("MAINT", "DRAIN")
# Patroni's words for the member that leads; the second is that of version 2.
_LEADERS = ("leader", "master")
# A follower that lacks more cannot take over (Patroni's maximum_lag_on_failover).
_LAG_BYTES = 1048576
# site.yml makes a new certificate long before.
_SOON_DAYS = 21


def unit_problem(values: Mapping[str, str]) -> str | None:
    """The state of a unit in words; None when it is up.

    ``values`` are those of ``systemctl show``, none for an unknown unit.
    """
    if not values or values.get("LoadState") == "not-found":
        return "the unit does not exist"
    if values.get("ActiveState") == "active":
        return None
    result = values.get("Result", "")
    return f"unit is {values.get('ActiveState')} ({values.get('SubState')})" + (
        f", result {result}" if result not in ("", "success") else ""
    )


def dags_text(revision: str, origin: Mapping[str, str]) -> str:
    """Which DAG files a host has."""
    commit = origin.get("commit", "")
    return f"revision {revision}" + (
        f", commit {commit[:12]} of {origin.get('ref')} in {origin.get('repository')}" if commit else ""
    )


def unit_detail(values: Mapping[str, str]) -> str:
    """``up since ..., 2 restarts`` of a running unit."""
    restarts = values.get("NRestarts", "0")
    since = values.get("ExecMainStartTimestamp", "")
    return f"since {since}" + (f", restarted {restarts} times by systemd" if restarts not in ("", "0") else "")


def rabbitmq_rows(
    expected: Sequence[str],
    nodes: Sequence[Mapping[str, Any]],
    alarms: str,
    queues: Sequence[Mapping[str, Any]],
    wanted: Sequence[str] = (),
) -> list[Row]:
    """Membership, partitions, alarms and quorum queues as this node sees them.

    ``nodes`` and ``queues`` are answers of the management API, ``alarms`` are those of this node, ``wanted`` the queues
    of the workers.
    """
    running = _rabbitmq_api.running(nodes)
    problems = []
    absent = sorted(set(expected) - running)
    if absent:
        problems.append(f"not running or not in the cluster: {', '.join(absent)}")
    unexpected = sorted({node["name"] for node in nodes} - set(expected))
    if unexpected:
        problems.append(f"members that the inventory does not have: {', '.join(unexpected)}")
    partitions = {node["name"]: node["partitions"] for node in nodes if node.get("partitions")}
    if partitions:
        problems.append(f"network partition: {json.dumps(partitions, sort_keys=True)}")
    if alarms:
        problems.append(f"alarms: {alarms}")
    rows = [
        row("rabbitmq", FAILED, "; ".join(problems))
        if problems
        else row("rabbitmq", OK, f"{len(running)} of {len(expected)} nodes running, no partition, no alarm")
    ]
    rows.append(_queue_row(expected, queues, wanted))
    return rows


def _queue_row(expected: Sequence[str], queues: Sequence[Mapping[str, Any]], wanted: Sequence[str]) -> Row:
    quorum = [queue for queue in queues if queue.get("type") == "quorum"]
    size = min(3, len(expected))
    kinds = {str(queue["name"]): queue in quorum for queue in queues}
    problems = [
        f"{name} {'is no quorum queue' if name in kinds else 'does not exist'}"
        for name in wanted
        if not kinds.get(name)
    ]
    for queue in quorum:
        members, online = len(queue.get("members") or []), len(queue.get("online") or [])
        if members < size:
            problems.append(f"{queue['name']} has {members} of {size} members")
        elif online < members:
            problems.append(f"{queue['name']} has {online} of {members} members online")
    if problems:
        return row("quorum queues", FAILED, _shortened(problems))
    waiting = sum(int(queue.get("messages") or 0) for queue in quorum)
    return row("quorum queues", OK, f"{len(quorum)} with {size} or more members online, {waiting} messages")


def queue_rows(
    queues: Sequence[Mapping[str, Any]], consumers: Sequence[Mapping[str, Any]], wanted: Sequence[str] = ()
) -> list[Row]:
    """Messages and consumers of each quorum queue: the same on every broker.

    ``queues`` and ``consumers`` are answers of the management API, ``wanted`` the queues of the workers, of which
    another row says when they do not exist.
    """
    counts = Counter(str(consumer.get("queue", {}).get("name")) for consumer in consumers)
    rows = []
    for queue in sorted((each for each in queues if each.get("type") == "quorum"), key=lambda each: str(each["name"])):
        name = str(queue["name"])
        waiting, held, total = (
            int(queue.get(key) or 0) for key in ("messages_ready", "messages_unacknowledged", "messages")
        )
        # A message that nothing consumes waits for ever; a queue of no worker may be an old one.
        state = OK
        if not counts[name]:
            state = FAILED if waiting else DEGRADED if name in wanted else OK
        text = f"{waiting} messages waiting, {held} with workers, {counts[name]} consumers"
        data: dict[str, Value] = {"queue": name, "messages": total, "ready": waiting, "unacknowledged": held}
        rows.append(row(f"queue {name}", state, text, {**data, "consumers": counts[name]}, scope=CLUSTER))
    return rows


def etcd_row(text: str, listed: Sequence[_etcd.Member]) -> Row:
    """What an etcd member says about itself and its leader.

    ``text`` is the answer of ``etcdctl endpoint status --write-out=json`` of this member alone, ``listed`` the members.
    """
    try:
        said = json.loads(text)[0]["Status"]
        own, leader = f"{said['header']['member_id']:x}", f"{said.get('leader') or 0:x}"
        version, size = str(said["version"]), int(said["dbSize"])
    except (ValueError, KeyError, IndexError, TypeError):
        return row("etcd", FAILED, f"no status of the member: {text[:100]!r}")
    name = next((member["name"] for member in listed if member["id"] == leader), "")
    data: dict[str, Value] = {"leader": name, "leads": own == leader, "members": len(listed), "version": version}
    if leader == "0":
        return row("etcd", FAILED, "has no leader: most members are out of reach", data)
    started = sum(member["started"] for member in listed)
    text = f"{'leads' if own == leader else f'follows {name or leader}'}, {started} of {len(listed)} members started"
    return row("etcd", OK if started == len(listed) else DEGRADED, f"{text}, {size // 1024**2} MiB", data)


def patroni_row(name: str, answer: Any) -> Row:
    """The member ``name`` of Patroni in its own answer to ``/cluster``: its role and what it lacks of the leader."""
    members: list[dict[str, Any]] = (answer.get("members") if isinstance(answer, dict) else None) or []
    own = next((each for each in members if each.get("name") == name), None)
    if own is None:
        return row("patroni", FAILED, f"the member {name} is not in the cluster of Patroni")
    leader = next((each["name"] for each in members if each.get("role") in _LEADERS), "")
    role, state, lag = str(own.get("role")), str(own.get("state")), own.get("lag")
    data: dict[str, Value] = {
        "leader": leader,
        "role": role,
        "state": state,
        "timeline": own.get("timeline"),
        # Of a member that does not stream it is a text, "unknown".
        "lag_bytes": lag if isinstance(lag, int) else None,
    }
    if not leader:
        return row("patroni", FAILED, f"no server leads; this one is {role}, {state}", data)
    if state not in ("running", "streaming"):
        return row("patroni", FAILED, f"{role}, {state}", data)
    if role in _LEADERS:
        return row("patroni", OK, f"leads, timeline {own.get('timeline')}", data)
    far = not isinstance(lag, int) or lag > _LAG_BYTES
    text = f"{role} of {leader}, {state}, lag {lag if lag is not None else 'unknown'}"
    return row("patroni", DEGRADED if far else OK, text + (" bytes" if isinstance(lag, int) else ""), data)


def certificate_row(found: Mapping[str, datetime | str], now: datetime) -> Row:
    """The certificate of this host that ends first.

    ``found`` has the end of each by its path, or why it cannot be read.
    """
    ends = {path: end for path, end in found.items() if isinstance(end, datetime)}
    problems = [f"{path}: {end}" for path, end in found.items() if isinstance(end, str)]
    if not ends:
        return row("certificate", FAILED, _shortened(problems))
    path = min(ends, key=lambda each: ends[each])
    days = (ends[path] - now) // timedelta(days=1)
    state = FAILED if days < 0 else DEGRADED if days < _SOON_DAYS or problems else OK
    text = f"{path} {'ended' if days < 0 else 'ends'} on {ends[path]:%Y-%m-%d}, {days} days left"
    data: dict[str, Value] = {"path": path, "ends": f"{ends[path]:%Y-%m-%dT%H:%M:%SZ}", "days_left": days}
    return row("certificate", state, "; ".join([text, *problems]), data)


def host_row(versions: Mapping[str, str], release: str, up_seconds: float) -> Row:
    """What a host has: ``versions`` by the name of the program, Airflow's ``release``, and how long it is up."""
    days = int(up_seconds // 86400)
    up = f"up {days} d" if days else f"up {int(up_seconds // 3600)} h {int(up_seconds % 3600 // 60)} min"
    text = ", ".join([*(f"{name} {version}" for name, version in versions.items()), up])
    data: dict[str, Value] = {**versions, "up_seconds": int(up_seconds)}
    return row("host", OK, text, {**data, "release": release} if release else data)


def db_clean_row(values: Mapping[str, str]) -> Row:
    """How the removal of old rows ended last: ``values`` are those of ``systemctl show`` of its service."""
    result, ended = values.get("Result", ""), values.get("ExecMainExitTimestamp", "")
    data: dict[str, Value] = {"result": result, "ended": ended or None}
    if result not in ("", "success"):
        text = f"failed on {ended or 'this host'}: {result}; see journalctl -u flightdeck-db-clean"
        return row("db_clean", DEGRADED, text, data)
    return row("db_clean", OK, f"last run on {ended}" if ended else "enabled, has not run on this host", data)


def package_versions(text: str, wanted: Mapping[str, str]) -> dict[str, str]:
    """Upstream versions of installed packages by the name of their program.

    ``text`` is dpkg's file of states, ``wanted`` has the pattern of a package's name by program.
    """
    blocks = re.findall(r"^Package: (\S+)\nStatus: \S+ ok installed\n((?:.+\n)*)", text, re.MULTILINE)
    found = {}
    for program, pattern in wanted.items():
        for package, fields in blocks:
            version = re.search(r"^Version: (?:\d+:)?([^-\s]+)", fields, re.MULTILINE)
            if version and re.fullmatch(pattern, package):
                # Without what Debian adds to it.
                found[program] = re.split(r"[+~]", version[1])[0]
    return found


def _shortened(texts: Sequence[str], limit: int = 5) -> str:
    more = f" and {len(texts) - limit} more" if len(texts) > limit else ""
    return "; ".join(texts[:limit]) + more


def haproxy_rows(text: str, listeners: Sequence[Mapping[str, Any]], drained: Sequence[str] = ()) -> list[Row]:
    """One row per listener from HAProxy's CSV statistics: how many servers are up, and what is wrong with the
    others.

    Components of Airflow on ``drained`` hosts are down on purpose.
    """
    lines = list(csv.DictReader(io.StringIO(text.lstrip("# "))))
    rows = []
    for listener in listeners:
        name = str(listener["name"])
        servers = [
            line
            for line in lines
            if line["pxname"] in (name, f"{name}_backend") and line["svname"] not in ("FRONTEND", "BACKEND")
        ]
        expected = {str(server["name"]) for server in listener.get("servers", [])}
        up = [line["svname"] for line in servers if line["status"].startswith(("UP", "no check"))]
        away = drained if listener.get("mode") == "http" else ()
        planned = [
            line
            for line in servers
            if line["status"].startswith(_PLANNED) or (line["svname"] not in up and line["svname"] in away)
        ]
        down = [line for line in servers if line["svname"] not in up and line not in planned]
        problems = [
            f"{line['svname']} {line['status']} ({(line.get('check_status') or '').strip('* ')})" for line in down
        ]
        problems += [
            f"{server} is not configured" for server in sorted(expected - {line["svname"] for line in servers})
        ]
        label = f"haproxy {name}"
        if not servers:
            rows.append(row(label, FAILED, "HAProxy has no such listener"))
        elif listener.get("check") == "patroni":
            # Those that do not lead are down for it, and that is right.
            leads = ", ".join(up)
            rows.append(
                row(label, OK, f"{leads} leads")
                if len(up) == 1
                else row(label, FAILED, f"{len(up)} servers lead: {leads or 'none'}")
            )
        elif problems:
            rows.append(row(label, FAILED, f"{len(up)} of {len(servers)} servers up: {_shortened(problems)}"))
        elif planned:
            text_planned = ", ".join(
                f"{line['svname']} {'drained' if line['svname'] in away else line['status']}" for line in planned
            )
            rows.append(
                row(label, DEGRADED, f"{len(up)} of {len(servers)} servers up, taken out on purpose: {text_planned}")
            )
        else:
            rows.append(row(label, OK, f"{len(up)} of {len(servers)} servers up"))
    return rows


# What the server that leads says of its archive: segments that wait, seconds since the last one arrived, and since the
# last failure, when nothing arrived after it; empty where there is none, nothing on a server that follows.
ARCHIVE_QUERY = """
SELECT json_build_object(
    'waiting', (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'),
    'arrived', extract(epoch FROM now() - last_archived_time)::int,
    'failed', CASE WHEN last_failed_time > coalesce(last_archived_time, '-infinity')
              THEN extract(epoch FROM now() - last_failed_time)::int END)
FROM pg_stat_archiver WHERE NOT pg_is_in_recovery()
"""
# Segments of 16 MiB that may wait while all is well.
_WAITING = 4


def archive_rows(text: str) -> list[Row]:
    """A row from the answer to ``ARCHIVE_QUERY``; none of a server that follows."""
    if not text.strip():
        return []
    found = json.loads(text)
    waiting = f"{found['waiting']} segments of the write-ahead log wait"
    if found["failed"] is not None:
        arrived = (
            "none has arrived yet" if found["arrived"] is None else f"the last one arrived {found['arrived']} s ago"
        )
        return [row("metastore archive", FAILED, f"the repository takes nothing: {waiting}, {arrived}")]
    if found["arrived"] is None:
        return [row("metastore archive", DEGRADED, f"nothing has arrived in the repository yet; {waiting}")]
    state = OK if found["waiting"] <= _WAITING else DEGRADED
    return [row("metastore archive", state, f"{waiting}, the last one arrived {found['arrived']} s ago")]


def backup_row(text: str, max_age_hours: int, now: float) -> Row:
    """The row of the repository from what pgBackRest says of it. No backup, and an old one, still restore something."""
    try:
        backups, problem = _backups.parse(text)
    except ValueError as error:
        return row("backup", FAILED, str(error))
    good, line = _backups.age_row(backups, problem, max_age_hours, now)
    if good:
        return row("backup", OK, line)
    return row("backup", DEGRADED if not _backups.regular(backups) and not problem else FAILED, line)


def backup_records(record: Callable[[str], Mapping[str, Any]]) -> list[Row]:
    """Rows of what failed last, and of the last restore that was proven. ``record`` reads what a kind of run left."""
    rows = []
    if problem := record("backup").get("problem"):
        rows.append(row("backup run", FAILED, f"the last backup failed: {problem}"))
    if problem := record("verify").get("problem"):
        rows.append(row("backup files", FAILED, f"damaged: {problem}"))
    drill = record("drill")
    if drill.get("problem"):
        rows.append(row("backup drill", FAILED, f"{drill['label']} at {drill['time']}: {drill['problem']}"))
    elif drill:
        line = f"last proven restore: {drill['label']} at {drill['time']}, in {drill['seconds']} s: {drill['shown']}"
        rows.append(row("backup drill", OK, line))
    return rows


def haproxy_statistics(path: str, timeout: float = 5.0) -> str:
    """HAProxy's CSV statistics from its socket at ``path``. Raises OSError."""
    return haproxy_answer(path, "show stat", timeout)


def haproxy_answer(path: str, command: str, timeout: float = 5.0) -> str:
    """What HAProxy says to ``command`` on its socket at ``path``. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(path)
        connection.sendall(f"{command}\n".encode())
        return _read_all(connection).decode("utf-8", "replace")


def _read_all(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def postgresql_problem(address: str, port: int, user: str, database: str, timeout: float = 5.0) -> str | None:
    """What happened instead of a PostgreSQL server asking ``user`` for a password; None when it does. Needs no
    password.

    An authentication request is the first thing a server says that accepts connections of this user to this database;
    while it starts, stops or has no room it says so in an error.
    """
    parameters = b"".join(
        part.encode() + b"\0" for part in ("user", user, "database", database, "application_name", "flightdeck_status")
    )
    startup = struct.pack("!ii", len(parameters) + 9, 196608) + parameters + b"\0"
    try:
        with socket.create_connection((address, port), timeout=timeout) as connection:
            connection.settimeout(timeout)
            connection.sendall(startup)
            answer = connection.recv(4096)
    except OSError as error:
        return f"no connection to port {port}: {error}"
    if answer[:1] == b"R":
        return None
    if answer[:1] == b"E":
        fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in answer[5:].split(b"\0") if part}
        return f"{fields.get(b'C', '')} {fields.get(b'M', '')}".strip()
    return f"port {port} closed the connection" if not answer else f"port {port} does not speak PostgreSQL's protocol"


def amqp_problem(address: str, port: int, timeout: float = 5.0, ca_file: str = "") -> str | None:
    """What happened instead of an AMQP broker's greeting; None when it greets.

    Needs no password. ``ca_file`` as for ``_ask``.
    """
    try:
        answer = _ask(address, port, timeout, ca_file, b"AMQP\x00\x00\x09\x01", 11)
    except OSError as error:
        return f"no connection to port {port}: {error}"
    # A method frame (1) on channel 0 that carries connection.start: class 10, method 10.
    if len(answer) == 11 and answer[0] == 1 and answer[7:11] == b"\x00\x0a\x00\x0a":
        return None
    return f"port {port} closed the connection" if not answer else f"port {port} does not speak AMQP 0-9-1"


def redis_problem(address: str, port: int, timeout: float = 5.0, ca_file: str = "") -> str | None:
    """What happened instead of a Redis server taking writes; None when it does. Needs no password. ``ca_file`` as for
    ``_ask``.

    A server that reads its data, or that cannot write them, answers a PING with an error.
    """
    try:
        answer = _ask(address, port, timeout, ca_file, b"PING\r\n", 200)
    except OSError as error:
        return f"no connection to port {port}: {error}"
    if answer == b"+PONG\r\n":
        return None
    if answer[:1] == b"-":
        return answer[1:].decode("utf-8", "replace").strip()
    return f"port {port} closed the connection" if not answer else f"port {port} does not speak Redis's protocol"


def _ask(address: str, port: int, timeout: float, ca_file: str, question: bytes, size: int) -> bytes:
    """The first ``size`` bytes that a server says to ``question``. Raises OSError.

    With ``ca_file``, the path of a certificate, the server has to speak TLS and prove ``address``.
    """
    with ExitStack() as stack:
        connection: socket.socket = stack.enter_context(socket.create_connection((address, port), timeout=timeout))
        if ca_file:
            context = ssl.create_default_context(cafile=ca_file)
            connection = stack.enter_context(context.wrap_socket(connection, server_hostname=address))
        connection.settimeout(timeout)
        connection.sendall(question)
        return connection.recv(size)
