# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""A small client of RabbitMQ's management API, and what its answers say about the health of a cluster."""

from __future__ import annotations

import base64
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any


class UnreachableError(Exception):
    """The API gave no answer; the message says why."""


class Api:
    """One node's management API on the loopback address."""

    def __init__(self, port: int, user: str, password: str, timeout_seconds: float = 10.0) -> None:
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.port = port
        self.headers = {"Authorization": f"Basic {token}", "Accept": "application/json"}
        self.timeout = timeout_seconds
        # Without a proxy: the address is this host, whatever the environment says.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, path: str, method: str = "GET") -> tuple[int, Any]:
        """Status and decoded body. Raises UnreachableError when there is no answer at all."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/{path}", headers=self.headers, method=method
        )
        try:
            with self.opener.open(request, timeout=self.timeout) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read()
        except (OSError, urllib.error.URLError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise UnreachableError(
                f"the management API on port {self.port} of this host does not answer: {reason}"
            ) from None
        try:
            return status, json.loads(body) if body else None
        except ValueError:
            return status, None

    def health_problem(self, check: str) -> str | None:
        """The reason that the node gives for a failed health check ``check``; None when it passes."""
        status, body = self.call(f"health/checks/{check}")
        if status == 200:
            return None
        reason = body.get("reason", "") if isinstance(body, dict) else ""
        return f"{check}: {reason or f'status {status}'}"

    def alarms(self) -> str:
        """The alarms of this node, or empty. Raises UnreachableError."""
        status, body = self.call("health/checks/local-alarms")
        found = body.get("alarms") if isinstance(body, dict) else None
        if status == 200 or isinstance(found, list):
            return ", ".join(sorted(str(alarm.get("resource")) for alarm in found or []))
        return f"unknown, the management API answers {status}"


# Without statistics, which are up to 5 s old. An answer with them says some fields twice, first as they are and then as
# they were.
_QUEUES = "disable_stats=true&enable_queue_totals=true"


def queues_path(vhost: str) -> str:
    """The path of all queues of ``vhost``, with type, members, those of them that are online, and messages."""
    return f"queues/{quoted(vhost)}?{_QUEUES}"


def running(nodes: Iterable[Mapping[str, Any]]) -> set[str]:
    """Names of the running nodes in an answer of ``/api/nodes``."""
    return {node["name"] for node in nodes if node.get("running")}


def stopped(nodes: Iterable[Mapping[str, Any]]) -> set[str]:
    """Names of the members that do not run."""
    return {node["name"] for node in nodes if not node.get("running")}


def partitioned(nodes: Iterable[Mapping[str, Any]]) -> set[str]:
    """Nodes that see a partition."""
    return {node["name"] for node in nodes if node.get("partitions")}


def without_replica(queues: Iterable[Mapping[str, Any]], node: str) -> list[str]:
    """Names of the quorum queues that keep no copy on ``node``."""
    return sorted(
        queue["name"]
        for queue in queues
        if queue.get("type") == "quorum" and node not in (queue.get("members") or [node])
    )


def quoted(segment: str) -> str:
    """``segment`` as one part of a path."""
    return urllib.parse.quote(segment, safe="")
