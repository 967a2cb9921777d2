"""How a broker is checked.

The answers are those of RabbitMQ 3.10 and 4.0 with three nodes: all well, just after the third was stopped, and with an
alarm of the first.
"""

from __future__ import annotations

import base64
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.flightdeck.airflow.plugins.modules import node_info

ANSWERS = json.loads(Path(__file__).with_name("rabbitmq_answers.json").read_text())
VERSIONS = sorted(ANSWERS)
NODES = ["rabbit@mq1", "rabbit@mq2", "rabbit@mq3"]
PASSWORD = "the admin's password"
LOGIN = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()


@pytest.fixture
def api():
    """A management API: ``api.says`` maps the beginnings of paths to status and body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            found = [answer for path, answer in server.says.items() if self.path.startswith(f"/api/{path}")]
            status, body = (
                found[0] if self.headers["Authorization"] == f"Basic {LOGIN}" else (401, {"error": "not_authorised"})
            )
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever).start()
    yield server
    server.shutdown()
    server.server_close()


def look(port, password=PASSWORD):
    """Rows of a host with a broker, as (component, state, detail)."""
    params = {"major": 3, "queues": ["default"], "drained": [], "timeout_seconds": 30}
    part = {"nodes": NODES, "management_port": port, "admin_user": "admin", "vhost": "airflow"}
    node = node_info._Node({"node": {"rabbitmq": part}, "rabbitmq_admin_password": password, **params})
    return [(row["component"], row["state"], row["detail"]) for row in node.rabbitmq(part)]


def answers(version, state):
    said = ANSWERS[version][state]
    return {
        # Without statistics: with them, the answer has the members of before the stop, too.
        "queues/airflow?disable_stats=true&enable_queue_totals=true": (200, said["queues"]),
        "nodes?columns=name,running,partitions": (200, said["nodes"]),
        "consumers/airflow": (200, [{"queue": {"name": "default", "vhost": "airflow"}, "active": True}]),
        "health/checks/local-alarms": (503 if "alarms" in said["alarms"] else 200, said["alarms"]),
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("state", "broker", "queues"),
    [
        (
            "whole",
            ("ok", "3 of 3 nodes running, no partition, no alarm"),
            ("ok", "1 with 3 or more members online, 1 messages"),
        ),
        (
            "one down",
            ("failed", "not running or not in the cluster: rabbit@mq3"),
            ("failed", "default has 2 of 3 members online"),
        ),
        ("alarm", ("failed", "alarms: disk space"), ("ok", "1 with 3 or more members online, 1 messages")),
    ],
)
def test_what_the_broker_says(api, version, state, broker, queues):
    api.says = answers(version, state)
    waiting = 0 if state == "one down" else 1
    queue = ("queue default", "ok", f"{waiting} messages waiting, 0 with workers, 1 consumers")
    assert look(api.server_port) == [("rabbitmq", *broker), ("quorum queues", *queues), queue]


def test_messages_that_nothing_consumes(api):
    api.says = {**answers(VERSIONS[0], "whole"), "consumers/airflow": (200, [])}
    assert look(api.server_port)[-1] == (
        "queue default",
        "failed",
        "1 messages waiting, 0 with workers, 0 consumers",
    )


def test_a_password_that_was_not_deployed(api):
    api.says = answers(VERSIONS[0], "whole")
    ((_, state, detail),) = look(api.server_port, "a newer one, not deployed")
    assert state == "failed"
    assert "refuses rabbitmq_admin_password, which was changed and not deployed" in detail
    assert "newer" not in detail


def test_an_answer_that_is_none(api):
    api.says = {**answers(VERSIONS[0], "whole"), "queues/airflow": (404, {"error": "Object Not Found"})}
    api.says.pop("queues/airflow?disable_stats=true&enable_queue_totals=true")
    assert look(api.server_port) == [("rabbitmq", "failed", "the management API answers 404 to /api/queues/airflow")]


@pytest.mark.parametrize(
    ("systemd", "says"),
    [
        ("LoadState=loaded\nActiveState=inactive\nSubState=dead\nResult=success", "unit is inactive (dead)"),
        ("LoadState=not-found\nActiveState=inactive", "the unit does not exist"),
        ("LoadState=loaded\nActiveState=active\nSubState=running", "unit is active, but the management API on"),
    ],
)
def test_a_broker_that_is_down(systemd, says, tmp_path, monkeypatch):
    (tmp_path / "systemctl").write_text(f"#!/bin/sh\ncat <<END\nId=rabbitmq-server.service\n{systemd}\nEND\n")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        ((_, state, detail),) = look(unused.getsockname()[1])
    assert state == "failed"
    assert detail.startswith(says)
