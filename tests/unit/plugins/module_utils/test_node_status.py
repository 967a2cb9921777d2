from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _etcd
from ansible_collections.flightdeck.airflow.plugins.module_utils import _node_status as status
from ansible_collections.flightdeck.airflow.plugins.module_utils._rows import Row

NODES = ["rabbit@mq1", "rabbit@mq2", "rabbit@mq3"]
QUEUE = {"name": "default", "type": "quorum", "members": NODES, "online": NODES, "messages": 2}


def nodes(*running: str, others: tuple[str, ...] = ()) -> list[dict[str, object]]:
    there: list[dict[str, object]] = [{"name": name, "running": True, "partitions": []} for name in running]
    return [*there, *({"name": name, "running": False} for name in others)]


def states(rows: list[Row]) -> dict[str, str]:
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


@pytest.mark.parametrize(("mode", "expected"), [("http", "degraded"), ("tcp", "failed")])
def test_a_drained_server_is_down_on_purpose_where_airflow_is_behind(mode: str, expected: str) -> None:
    listeners = [{**LISTENERS[0], "mode": mode}]
    (row,) = status.haproxy_rows(CSV.format(state="DOWN", check="L4CON"), listeners, ["master2"])
    assert row["state"] == expected
    assert "master2 drained" in row["detail"] or mode == "tcp"


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


def consumer(queue: str) -> dict[str, object]:
    return {"queue": {"name": queue, "vhost": "airflow"}, "active": True}


@pytest.mark.parametrize(
    ("ready", "consumers", "state"), [(0, 2, "ok"), (5, 2, "ok"), (0, 0, "degraded"), (5, 0, "failed")]
)
def test_a_queue(ready: int, consumers: int, state: str) -> None:
    queue = {**QUEUE, "messages": ready + 1, "messages_ready": ready, "messages_unacknowledged": 1}
    queues = [queue, {"name": "x", "type": "classic"}]
    (row,) = status.queue_rows(queues, [consumer("default")] * consumers, ["default"])
    assert row["state"] == state
    assert row["data"] == {
        "queue": "default",
        "messages": ready + 1,
        "ready": ready,
        "unacknowledged": 1,
        "consumers": consumers,
    }


def test_an_empty_queue_of_no_worker_is_no_fault() -> None:
    assert status.queue_rows([{**QUEUE, "messages_ready": 0}], [], ["another"])[0]["state"] == "ok"


# As etcd 3.4 answers.
def etcd_status(member: int, leader: int) -> str:
    said = {"header": {"member_id": member, "raft_term": 3}, "version": "3.4.23", "dbSize": 20480, "leader": leader}
    return json.dumps([{"Endpoint": "https://10.0.0.1:2379", "Status": said}])


def etcd_members(*started: bool) -> list[_etcd.Member]:
    return [
        {"id": f"{number:x}", "name": f"db{number}", "peer_urls": [], "started": each}
        for number, each in enumerate(started, 1)
    ]


def test_members_of_etcd() -> None:
    whole = etcd_members(True, True, True)
    assert status.etcd_row(etcd_status(1, 1), whole)["detail"] == "leads, 3 of 3 members started, 0 MiB"
    follower = status.etcd_row(etcd_status(2, 1), whole)
    assert follower["detail"].startswith("follows db1, ")
    assert follower["data"]["leader"] == "db1"
    assert status.etcd_row(etcd_status(2, 1), etcd_members(True, True, False))["state"] == "degraded"
    assert status.etcd_row(etcd_status(2, 0), whole)["state"] == "failed"
    assert status.etcd_row("[]", whole)["state"] == "failed"


# As Patroni 2.1 and 3.3 answer to /cluster.
def patroni(**lags: object) -> dict[str, object]:
    leader = {"name": "db1", "role": "leader", "state": "running", "timeline": 4}
    others = [
        {"name": name, "role": "sync_standby", "state": "streaming", "timeline": 4, "lag": lag}
        for name, lag in lags.items()
    ]
    return {"members": [leader, *others]}


def test_members_of_patroni() -> None:
    assert status.patroni_row("db1", patroni(db2=0))["detail"] == "leads, timeline 4"
    follower = status.patroni_row("db2", patroni(db2=0))
    assert (follower["state"], follower["detail"]) == ("ok", "sync_standby of db1, streaming, lag 0 bytes")
    assert follower["data"]["lag_bytes"] == 0
    assert status.patroni_row("db2", patroni(db2=2**21))["state"] == "degraded"
    unknown = status.patroni_row("db2", patroni(db2="unknown"))
    assert (unknown["state"], unknown["data"]["lag_bytes"]) == ("degraded", None)
    assert status.patroni_row("db9", patroni(db2=0))["state"] == "failed"
    answer = patroni(db2=0)
    answer["members"] = [{**member, "role": "replica"} for member in answer["members"]]  # type: ignore[attr-defined]
    assert "no server leads" in status.patroni_row("db2", answer)["detail"]


# Recorded on three hosts of Debian 12, with etcd 3.4 and Patroni 2.1.
RECORDED_ETCD = (
    '[{"Endpoint":"https://10.0.0.31:2379","Status":{"header":{"cluster_id":10963355262051708250,"member_id":'
    '5011750766081506058,"revision":1,"raft_term":3},"version":"3.4.23","dbSize":20480,"leader":16833342868451273239,'
    '"raftIndex":4671,"raftTerm":3,"raftAppliedIndex":4671,"dbSizeInUse":20480}}]'
)
RECORDED_MEMBERS = (
    '{"header":{"cluster_id":10963355262051708250,"member_id":5011750766081506058,"raft_term":3},"members":['
    '{"ID":4662101095832154186,"name":"store3","peerURLs":["https://10.0.0.33:2380"],"clientURLs":["https://a:2379"]},'
    '{"ID":5011750766081506058,"name":"store1","peerURLs":["https://10.0.0.31:2380"],"clientURLs":["https://b:2379"]},'
    '{"ID":16833342868451273239,"name":"store2","peerURLs":["https://10.0.0.32:2380"],"clientURLs":["https://c:2379"]}]}'
)
RECORDED_PATRONI = {
    "members": [
        {"name": "store1", "role": "replica", "state": "running", "port": 5432, "timeline": 4, "lag": 0},
        {"name": "store2", "role": "sync_standby", "state": "running", "port": 5432, "timeline": 4, "lag": 0},
        {"name": "store3", "role": "leader", "state": "running", "port": 5432, "timeline": 4},
    ]
}


def test_answers_of_a_cluster() -> None:
    row = status.etcd_row(RECORDED_ETCD, _etcd.members(RECORDED_MEMBERS))
    assert (row["state"], row["detail"]) == ("ok", "follows store2, 3 of 3 members started, 0 MiB")
    rows = [status.patroni_row(f"store{number}", RECORDED_PATRONI) for number in (1, 2, 3)]
    assert [(row["state"], row["data"]["role"]) for row in rows] == [
        ("ok", "replica"),
        ("ok", "sync_standby"),
        ("ok", "leader"),
    ]
    assert {row["data"]["leader"] for row in rows} == {"store3"}


NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(("days", "state"), [(300, "ok"), (20, "degraded"), (-1, "failed")])
def test_the_certificate_that_ends_first(days: int, state: str) -> None:
    row = status.certificate_row({"/a.crt": NOW + timedelta(days=days), "/b.crt": NOW + timedelta(days=999)}, NOW)
    assert (row["state"], row["data"]["days_left"], row["data"]["path"]) == (state, days, "/a.crt")


def test_a_certificate_that_cannot_be_read() -> None:
    assert status.certificate_row({"/a.crt": "it has no certificate"}, NOW)["state"] == "failed"
    other = {"/a.crt": "it is none", "/b.crt": NOW + timedelta(days=99)}
    assert status.certificate_row(other, NOW)["state"] == "degraded"


def test_the_removal_of_old_rows() -> None:
    assert status.db_clean_row({"Result": "success"})["state"] == "ok"
    ended = {"ExecMainExitTimestamp": "Mon 2026-11-16 03:31:00 UTC"}
    assert "2026-11-16" in status.db_clean_row({"Result": "success", **ended})["detail"]
    failed = status.db_clean_row({"Result": "exit-code", **ended})
    assert (failed["state"], failed["data"]["result"]) == ("degraded", "exit-code")


DPKG = """Package: postgresql-15
Status: install ok installed
Version: 15.18-0+deb12u1

Package: postgresql-client-15
Status: install ok installed
Version: 15.17-0+deb12u1

Package: redis-server
Status: deinstall ok config-files
Version: 5:7.0.15-1~deb12u1

Package: rabbitmq-server
Status: install ok installed
Architecture: all
Version: 3.10.8-1.1+deb12u1
"""


def test_versions_of_packages() -> None:
    wanted = {"PostgreSQL": r"postgresql-\d+", "Redis": "redis-server", "RabbitMQ": "rabbitmq-server"}
    assert status.package_versions(DPKG, wanted) == {"PostgreSQL": "15.18", "RabbitMQ": "3.10.8"}


def test_the_row_of_a_host() -> None:
    row = status.host_row({"Debian": "12.12", "Airflow": "3.3.2"}, "3.3.2-abc-py3.11", 3660)
    assert row["detail"] == "Debian 12.12, Airflow 3.3.2, up 1 h 1 min"
    assert row["data"]["release"] == "3.3.2-abc-py3.11"
    assert status.host_row({}, "", 86400 * 3)["detail"] == "up 3 d"


def archive(**changes: object) -> list[status.Row]:
    return status.archive_rows(json.dumps({"waiting": 0, "arrived": 12, "failed": None, **changes}))


def test_an_archive_that_takes_nothing_is_bad() -> None:
    assert [row["state"] for row in archive()] == ["ok"]
    assert [row["state"] for row in archive(waiting=9)] == ["degraded"]
    assert [row["state"] for row in archive(arrived=None)] == ["degraded"]
    (row,) = archive(waiting=3, failed=4)
    assert row["state"] == "failed"
    assert row["detail"].startswith("the repository takes nothing: 3 segments")
    # A server that follows.
    assert status.archive_rows("\n") == []


def test_what_backups_left_behind_is_shown_when_it_matters() -> None:
    assert status.backup_records(lambda _name: {}) == []
    records = {
        "backup": {"problem": "no room"},
        "verify": {"problem": "invalid checksum"},
        "drill": {"problem": "", "label": "x", "time": "t", "seconds": 9, "shown": "dag 3"},
    }
    rows = status.backup_records(lambda name: records[name])
    assert states(rows) == {"backup run": "failed", "backup files": "failed", "backup drill": "ok"}
    assert rows[2]["detail"] == "last proven restore: x at t, in 9 s: dag 3"


def test_a_repository_without_a_backup_is_degraded_and_one_without_an_answer_failed() -> None:
    empty = '[{"backup": [], "db": [], "status": {"code": 2, "message": "no valid backups"}}]'
    assert status.backup_row(empty, 36, 0)["state"] == "degraded"
    assert status.backup_row("", 36, 0)["state"] == "failed"
