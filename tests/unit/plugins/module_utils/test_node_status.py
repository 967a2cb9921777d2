from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _node_status as status

NODES = ["rabbit@mq1", "rabbit@mq2", "rabbit@mq3"]
QUEUE = {"name": "default", "type": "quorum", "members": NODES, "online": NODES, "messages": 2}


def nodes(*running: str, others: tuple[str, ...] = ()) -> list[dict[str, object]]:
    there: list[dict[str, object]] = [{"name": name, "running": True, "partitions": []} for name in running]
    return [*there, *({"name": name, "running": False} for name in others)]


def states(rows: list[status.Row]) -> dict[str, str]:
    return {row["component"]: row["state"] for row in rows}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "does not exist"),
        ({"LoadState": "not-found", "ActiveState": "inactive"}, "does not exist"),
        (
            {"LoadState": "loaded", "ActiveState": "failed", "SubState": "failed", "Result": "exit-code"},
            "unit is failed (failed), result exit-code",
        ),
        (
            {"LoadState": "loaded", "ActiveState": "inactive", "SubState": "dead", "Result": "success"},
            "unit is inactive (dead)",
        ),
    ],
)
def test_a_unit_that_is_not_up(values: dict[str, str], words: str) -> None:
    assert status.unit_problem(values).endswith(words)


def test_a_unit_that_is_up() -> None:
    values = {
        "LoadState": "loaded",
        "ActiveState": "active",
        "NRestarts": "3",
        "ExecMainStartTimestamp": "Mon 2026-11-16",
    }
    assert status.unit_problem(values) is None
    assert status.unit_detail(values) == "since Mon 2026-11-16, restarted 3 times by systemd"


def test_a_whole_broker() -> None:
    rows = status.rabbitmq_rows(NODES, nodes(*NODES), "", [QUEUE, {"name": "x.celery.pidbox", "type": "classic"}])
    assert states(rows) == {"rabbitmq": "ok", "quorum queues": "ok"}
    assert rows[1]["detail"] == "1 with 3 or more members online, 2 messages"


@pytest.mark.parametrize(
    ("seen", "alarms", "words"),
    [
        (nodes(*NODES[:2], others=("rabbit@mq3",)), "", "not running or not in the cluster: rabbit@mq3"),
        (nodes(*NODES[:2]), "", "not running or not in the cluster: rabbit@mq3"),
        (nodes(*NODES, "rabbit@old"), "", "members that the inventory does not have: rabbit@old"),
        (
            [{**nodes(*NODES)[0], "partitions": ["rabbit@mq2"]}, *nodes(*NODES[1:])],
            "",
            'network partition: {"rabbit@mq1": ["rabbit@mq2"]}',
        ),
        (nodes(*NODES), "disk space", "alarms: disk space"),
    ],
)
def test_a_broker_in_trouble(seen: list[dict[str, object]], alarms: str, words: str) -> None:
    rows = status.rabbitmq_rows(NODES, seen, alarms, [QUEUE])
    assert states(rows)["rabbitmq"] == "failed"
    assert words in rows[0]["detail"]


def test_a_queue_that_lost_a_member_and_one_that_never_had_three() -> None:
    queues = [{**QUEUE, "online": NODES[:2]}, {**QUEUE, "name": "gpu", "members": NODES[:1], "online": NODES[:1]}]
    (row,) = status.rabbitmq_rows(NODES, nodes(*NODES), "", queues)[1:]
    assert row["state"] == "failed"
    assert row["detail"] == "default has 2 of 3 members online; gpu has 1 of 3 members"


def test_a_queue_of_the_workers_must_be_a_quorum_queue() -> None:
    queues = [QUEUE, {"name": "gpu", "type": "classic"}]
    (row,) = status.rabbitmq_rows(NODES, nodes(*NODES), "", queues, ["default", "gpu", "big"])[1:]
    assert row["state"] == "failed"
    assert row["detail"] == "gpu is no quorum queue; big does not exist"


def test_a_single_broker_needs_one_member() -> None:
    one = {**QUEUE, "members": NODES[:1], "online": NODES[:1]}
    assert states(status.rabbitmq_rows(NODES[:1], nodes(NODES[0]), "", [one])) == {
        "rabbitmq": "ok",
        "quorum queues": "ok",
    }


CSV = """# pxname,svname,status,check_status,
web,FRONTEND,OPEN,,
web,master1,UP,L7OK,
web,master2,{state},{check},
web,BACKEND,UP,,

"""
LISTENERS = [{"name": "web", "servers": [{"name": "master1"}, {"name": "master2"}]}]


@pytest.mark.parametrize(
    ("state", "check", "expected", "words"),
    [
        ("UP", "L7OK", "ok", "2 of 2 servers up"),
        ("UP 1/2", "L7STS", "ok", "2 of 2 servers up"),
        ("DOWN", "* L7STS", "failed", "1 of 2 servers up: master2 DOWN (L7STS)"),
        ("MAINT", "", "degraded", "taken out on purpose: master2 MAINT"),
        ("DRAIN", "L7OK", "degraded", "master2 DRAIN"),
    ],
)
def test_servers_of_a_listener(state: str, check: str, expected: str, words: str) -> None:
    (row,) = status.haproxy_rows(CSV.format(state=state, check=check), LISTENERS)
    assert row["state"] == expected
    assert words in row["detail"]


@pytest.mark.parametrize(
    ("state", "expected", "words"),
    [("DOWN", "ok", "master1 leads"), ("UP", "failed", "2 servers lead: master1, master2")],
)
def test_of_several_metastore_servers_one_leads(state: str, expected: str, words: str) -> None:
    (row,) = status.haproxy_rows(CSV.format(state=state, check="L7STS"), [{**LISTENERS[0], "check": "patroni"}])
    assert (row["state"], row["detail"]) == (expected, words)


def test_a_server_or_listener_that_haproxy_does_not_know() -> None:
    more = [{"name": "web", "servers": [{"name": "master3"}]}, {"name": "broker", "servers": []}]
    rows = status.haproxy_rows(CSV.format(state="UP", check="L7OK"), more)
    assert [row["detail"] for row in rows] == [
        "2 of 2 servers up: master3 is not configured",
        "HAProxy has no such listener",
    ]


@contextmanager
def server(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """A TCP server for one connection that answers the first bytes it gets."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(answer(connection.recv(4096)))

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


def test_a_postgresql_server_that_asks_for_a_password() -> None:
    asked: list[bytes] = []

    def answer(request: bytes) -> bytes:
        asked.append(request)
        return b"R\x00\x00\x00\x17\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"

    with server(answer) as port:
        assert status.postgresql_problem("127.0.0.1", port, "airflow", "airflow_results") is None
    (request,) = asked
    assert struct.unpack("!ii", request[:8]) == (len(request), 196608)
    assert request[8:].startswith(b"user\0airflow\0database\0airflow_results\0")
    assert request.endswith(b"\0\0")


def test_a_postgresql_server_that_starts() -> None:
    body = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"
    with server(lambda _: b"E" + struct.pack("!i", len(body) + 4) + body) as port:
        assert status.postgresql_problem("127.0.0.1", port, "a", "b") == "57P03 the database system is starting up"


@pytest.mark.parametrize(
    ("answer", "words"), [(b"", "closed the connection"), (b"HTTP/1.1 400\r\n", "does not speak PostgreSQL")]
)
def test_something_else_than_postgresql(answer: bytes, words: str) -> None:
    with server(lambda _: answer) as port:
        assert words in status.postgresql_problem("127.0.0.1", port, "a", "b")


def test_a_broker_that_greets() -> None:
    with server(
        lambda request: b"\x01\x00\x00\x00\x00\x01\xf4\x00\x0a\x00\x0a" + b"x" * 50 if request[:4] == b"AMQP" else b""
    ) as port:
        assert status.amqp_problem("127.0.0.1", port) is None


@pytest.mark.parametrize(
    ("answer", "words"), [(b"", "closed the connection"), (b"AMQP\x00\x00\x09\x01....", "does not speak AMQP")]
)
def test_something_else_than_a_broker(answer: bytes, words: str) -> None:
    with server(lambda _: answer) as port:
        assert words in status.amqp_problem("127.0.0.1", port)


def test_a_redis_that_takes_writes() -> None:
    with server(lambda request: b"+PONG\r\n" if request == b"PING\r\n" else b"") as port:
        assert status.redis_problem("127.0.0.1", port) is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "closed the connection"),
        (b"-LOADING Redis is loading\r\n", "LOADING Redis is loading"),
        (b"HTTP/1.1 400\r\n", "not speak Redis"),
    ],
)
def test_a_redis_that_does_not(answer: bytes, words: str) -> None:
    with server(lambda _: answer) as port:
        assert words in status.redis_problem("127.0.0.1", port)


def test_no_process_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert f"no connection to port {port}" in status.amqp_problem("127.0.0.1", port)
    assert f"no connection to port {port}" in status.postgresql_problem("127.0.0.1", port, "a", "b")
