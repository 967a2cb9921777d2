#!/usr/bin/python3
"""Restarts this RabbitMQ node when it cannot find back to the others by itself. Started by a timer.

A node that was frozen, with its machine or alone, goes on where it was while the others have declared it dead: a
partition that ``pause_minority`` neither prevents nor ends, and that lasts until one side restarts. Standard library
only.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

STATE = Path("/run/rabbitmq-watchdog/state.json")
UNIT = "rabbitmq-server.service"
# Seconds. A node that most others are lost to restarts soon; where both sides see a majority, one does so later.
MINORITY_SECONDS = 20
MAJORITY_SECONDS = 60
# Between two nodes whose restart is not urgent; more than a start takes.
STAGGER_SECONDS = 45
# Between two restarts for one reason, so that one that does not help is not repeated all the time, and between two for
# different ones: the first may have led to the second.
PAUSE_SECONDS, OTHER_REASON_SECONDS = 300, 60
COMMAND_SECONDS = 20
# For a node that answers its clients and not rabbitmqctl: on a busy machine that program, an Erlang VM each time, takes
# longer than this.
SLOW_SECONDS = 600
# A check by rabbitmqctl costs most of a processor second. While the node answers its clients and keeps the connections
# that it had to the others, nothing can have come between them: such a check comes this often. After a change of them,
# what follows from it may take a while to show.
CALM_SECONDS, UNREST_SECONDS = 300, 120
# Of Erlang, to which nodes and their tools connect.
DISTRIBUTION_PORT = 25672
ESTABLISHED = "01"
AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
# Reasons for which there is nothing left to stop in order.
NO_ANSWER, NO_BROKER, ONLY_CLIENTS = "it does not answer", "it runs no broker", "it answers its clients only"


def ask(*command: str) -> str:
    """What a command of RabbitMQ prints; empty when it fails."""
    call = ["rabbitmqctl", "--quiet", "--timeout", str(COMMAND_SECONDS), *command]
    try:
        return subprocess.run(call, capture_output=True, text=True, timeout=COMMAND_SECONDS + 5, check=True).stdout
    except subprocess.SubprocessError:
        return ""


def answers(port: int) -> bool:
    """Whether the node reacts to a client on ``port`` of this host, if only by refusing one without encryption.

    A frozen one does not.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=COMMAND_SECONDS) as client:
            client.sendall(AMQP_HEADER)
            client.recv(1)
    except ConnectionResetError:
        return True
    except OSError:
        return False
    return True


def node_state(node: str, port: int) -> tuple[str, float]:
    """Why ``node``, whose clients use ``port``, should be restarted, and for how many seconds that must be so;
    empty when it should not."""
    # One that starts waits for the others for as long as it takes.
    if (
        subprocess.run(["systemctl", "is-active", UNIT], capture_output=True, text=True, check=False).stdout.strip()
        != "active"
    ):
        return "", 0
    if said := ask("cluster_status", "--formatter", "json"):
        return problem(json.loads(said), node)
    # One that has paused itself in a minority answers this; when it is none any more, its start may hang for good.
    if ask("ping"):
        return NO_BROKER, MAJORITY_SECONDS
    return (ONLY_CLIENTS, SLOW_SECONDS) if answers(port) else (NO_ANSWER, MINORITY_SECONDS)


def links(tables: tuple[str, ...] = ("/proc/net/tcp", "/proc/net/tcp6")) -> list[str]:
    """The connections between this node and others, by their addresses and ports. Tools of this host have one to its
    own address."""
    found = []
    for table in tables:
        try:
            rows = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            local, remote, state = row.split()[1:4]
            hosts, ports = zip(*(end.split(":") for end in (local, remote)), strict=True)
            if state == ESTABLISHED and hosts[0] != hosts[1] and f"{DISTRIBUTION_PORT:04X}" in ports:
                found.append(f"{local} {remote}")
    return sorted(found)


def calm(state: dict[str, Any], now_links: list[str], now: float) -> bool:
    """Whether a check by rabbitmqctl may be left out: the last ones found nothing, and no connection changed since."""
    if state.get("reason") or "checked" not in state or now_links != state.get("links"):
        return False
    return now - state["changed"] >= UNREST_SECONDS and now - state["checked"] < CALM_SECONDS


def problem(status: dict[str, Any], node: str) -> tuple[str, float]:
    """``look`` for a node that has said how it sees the cluster."""
    partitions = {name: peers for name, peers in status["partitions"].items() if peers}
    members, running = sorted(status["disk_nodes"]), status["running_nodes"]
    if partitions and 2 * len(running) <= len(members):
        return "it is cut off from most others", MINORITY_SECONDS
    # Both sides see a majority: the rule selects the same node on both.
    if partitions and node == max({*partitions, *(peer for peers in partitions.values() for peer in peers)}):
        return "the cluster stays parted", MAJORITY_SECONDS
    # Others that took it for dead have deleted its listeners from the table of all: health checks and upgrades would
    # fail for good.
    if not partitions and len(running) == len(members) and not status["listeners"].get(node):
        return "the others have forgotten its listeners", MINORITY_SECONDS + STAGGER_SECONDS * members.index(node)
    return "", 0


def decide(found: tuple[str, float], state: dict[str, Any], now: float) -> tuple[bool, dict[str, Any]]:
    """Whether to restart now, and what to remember until the next look."""
    reason, limit = found
    last = {"restarted": state.get("restarted", 0.0), "restarted_for": state.get("restarted_for", "")}
    if not reason:
        return False, last
    since = state["since"] if state.get("reason") == reason else now
    pause = PAUSE_SECONDS if last["restarted_for"] == reason else OTHER_REASON_SECONDS
    restart = now - since >= limit and now - last["restarted"] >= pause
    return restart, {
        "reason": reason,
        "since": since,
        **({"restarted": now, "restarted_for": reason} if restart else last),
    }


def main() -> None:
    """One look."""
    before = json.loads(STATE.read_text(encoding="utf-8")) if STATE.exists() else {"restarted": -PAUSE_SECONDS}
    # Before the check: what changes meanwhile is seen by the next one.
    now_links, now = links(), time.monotonic()
    if calm(before, now_links, now) and answers(int(sys.argv[2])):
        return
    found = node_state(sys.argv[1], int(sys.argv[2]))
    restart, state = decide(found, before, time.monotonic())
    changed = now if now_links != before.get("links") or found[0] else before.get("changed", now)
    state |= {"links": now_links, "changed": changed, "checked": now}
    STATE.write_text(json.dumps(state), encoding="utf-8")
    if found[0]:
        print(f"{found[0]}, {'restarting it' if restart else 'waiting'}", flush=True)
    if restart:
        hang = found[0] in (NO_ANSWER, NO_BROKER, ONLY_CLIENTS)
        how = ["kill", "--kill-whom=all", "--signal=SIGKILL"] if hang else ["try-restart", "--no-block"]
        subprocess.run(["systemctl", *how, UNIT], check=True)


if __name__ == "__main__":
    main()
