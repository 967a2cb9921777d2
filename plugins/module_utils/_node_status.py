"""What the services of one host say about themselves: parsers and probes, without Ansible. Read-only."""

from __future__ import annotations

import csv
import io
import json
import socket
import ssl
import struct
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.module_utils import _rabbitmq_api

Row = dict[str, str]

OK, DEGRADED, FAILED = "ok", "degraded", "failed"

# HAProxy's states of a server that an operator sets.
_PLANNED = ("MAINT", "DRAIN")


def row(component: str, state: str, detail: str) -> Row:
    """One line about this host; the report adds the host's name."""
    return {"component": component, "state": state, "detail": detail}


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


def _shortened(texts: Sequence[str], limit: int = 5) -> str:
    more = f" and {len(texts) - limit} more" if len(texts) > limit else ""
    return "; ".join(texts[:limit]) + more


def haproxy_rows(text: str, listeners: Sequence[Mapping[str, Any]]) -> list[Row]:
    """One row per listener from HAProxy's CSV statistics: how many servers are up, and what is wrong with the
    others."""
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
        planned = [line for line in servers if line["status"].startswith(_PLANNED)]
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
            text_planned = ", ".join(f"{line['svname']} {line['status']}" for line in planned)
            rows.append(
                row(label, DEGRADED, f"{len(up)} of {len(servers)} servers up, taken out on purpose: {text_planned}")
            )
        else:
            rows.append(row(label, OK, f"{len(up)} of {len(servers)} servers up"))
    return rows


def haproxy_statistics(path: str, timeout: float = 5.0) -> str:
    """HAProxy's CSV statistics from its socket at ``path``. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(path)
        connection.sendall(b"show stat\n")
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
