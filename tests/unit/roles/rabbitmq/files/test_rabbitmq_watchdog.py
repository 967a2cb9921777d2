"""When a RabbitMQ node restarts."""

from __future__ import annotations

import importlib.util
import socket
import threading
from pathlib import Path

import pytest

PATH = Path(__file__).parents[5] / "roles/rabbitmq/files/rabbitmq_watchdog.py"
SPEC = importlib.util.spec_from_file_location("rabbitmq_watchdog", PATH)
watchdog = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(watchdog)

ALL = ["a", "b", "c"]


def status(running, partitions, *forgotten):
    listeners = {node: [] if node in forgotten else [{"port": 5671}] for node in running}
    return {"disk_nodes": ALL, "running_nodes": running, "partitions": partitions, "listeners": listeners}


@pytest.mark.parametrize(
    ("node", "seen", "reason"),
    [
        ("a", status(ALL, {}), ""),
        # Others that are down are no partition.
        ("a", status(["a", "b"], {}), ""),
        ("a", status(["a"], {"a": []}), ""),
        ("a", status(ALL, {}, "a", "b"), "the others have forgotten its listeners"),
        ("c", status(ALL, {}, "a", "b"), ""),
        # Not while another is down.
        ("a", status(["a", "b"], {}, "a"), ""),
        # What is left of the cluster while a was frozen, and a itself.
        ("a", status(["a"], {"a": ["b", "c"]}), "it is cut off from most others"),
        ("b", status(["b", "c"], {"b": ["a"]}), "the cluster stays parted"),
        ("c", status(["b", "c"], {"b": ["a"]}), ""),
        # Everybody sees a majority.
        ("c", status(["b", "c"], {"c": ["a"], "a": ["c"]}), "the cluster stays parted"),
        ("a", status(["a", "b"], {"c": ["a"], "a": ["c"]}), ""),
    ],
)
def test_a_node_restarts_when_it_cannot_rejoin(node, seen, reason):
    assert watchdog.problem(seen, node)[0] == reason


def test_nodes_restart_one_after_the_other():
    waits = [watchdog.problem(status(ALL, {}, *ALL), node)[1] for node in ALL]
    assert waits == [20, 65, 110]


def test_it_must_stay_so_and_a_restart_is_not_repeated_at_once():
    cut_off = ("cut off", 20)
    state = {"restarted": -300}
    said = []
    for now in (1000, 1010, 1030, 1060, 1340):
        restart, state = watchdog.decide(cut_off, state, now)
        said.append(restart)
    assert said == [False, False, True, False, True]


def test_another_reason_restarts_the_count():
    _restart, state = watchdog.decide(("cut off", 20), {}, 1000)
    restart, state = watchdog.decide(("parted", 120), state, 1100)
    assert not restart
    _restart, state = watchdog.decide(("", 0), state, 1110)
    assert state == {"restarted": 0.0, "restarted_for": ""}


def test_what_a_restart_led_to_has_a_shorter_pause():
    restart, state = watchdog.decide(
        (watchdog.NO_BROKER, 60), {"reason": watchdog.NO_BROKER, "since": 1000, "restarted": 0.0}, 1060
    )
    assert restart
    forgotten = ("the others have forgotten its listeners", 20)
    said = []
    for now in (1090, 1112, 1125):
        restart, state = watchdog.decide(forgotten, state, now)
        said.append(restart)
    assert said == [False, False, True]


@pytest.mark.parametrize(
    ("says", "alive"), [(b"AMQP", True), (b"", True), (None, False)], ids=["greets", "hangs up", "is frozen"]
)
def test_a_node_that_answers_its_clients_is_slow_and_not_frozen(monkeypatch, says, alive):
    """A frozen one accepts connections all the same: the kernel does that."""
    monkeypatch.setattr(watchdog, "COMMAND_SECONDS", 0.5 if says is None else 60)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            client = server.accept()[0]
            with client:
                client.recv(8)
                if says is None:
                    client.recv(1)
                client.sendall(says or b"")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert watchdog.answers(server.getsockname()[1]) == alive
        thread.join(60)


def test_a_node_without_a_listener_does_not_answer():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not watchdog.answers(port)


TABLE = """  sl  local_address rem_address   st tx_queue
   0: 00000000:6448 00000000:0000 0A 00000000:00000000
   1: 29461FAC:6448 2B461FAC:9CB4 01 00000000:00000000
   2: 29461FAC:9CB6 2A461FAC:6448 01 00000000:00000000
   3: 29461FAC:9CB8 2A461FAC:6448 06 00000000:00000000
   4: 29461FAC:6448 29461FAC:9CBA 01 00000000:00000000
   5: 29461FAC:1627 0A461FAC:93FA 01 00000000:00000000
"""


def test_links_are_those_to_other_nodes(tmp_path):
    table = tmp_path / "tcp"
    table.write_text(TABLE)
    assert watchdog.links((str(table), str(tmp_path / "none"))) == [
        "29461FAC:6448 2B461FAC:9CB4",
        "29461FAC:9CB6 2A461FAC:6448",
    ]


@pytest.mark.parametrize(
    ("state", "links", "now", "calm"),
    [
        ({}, ["x"], 1000, False),
        ({"checked": 900, "changed": 100, "links": ["x"]}, ["x"], 1000, True),
        ({"checked": 900, "changed": 100, "links": ["x"]}, ["y"], 1000, False),
        ({"checked": 900, "changed": 100, "links": ["x"]}, [], 1000, False),
        ({"checked": 900, "changed": 900, "links": ["x"]}, ["x"], 1000, False),
        ({"checked": 690, "changed": 100, "links": ["x"]}, ["x"], 1000, False),
        ({"checked": 900, "changed": 100, "links": ["x"], "reason": "cut off"}, ["x"], 1000, False),
    ],
)
def test_a_check_is_left_out_only_while_nothing_changed(state, links, now, calm):
    assert watchdog.calm(state, links, now) is calm


@pytest.fixture
def run(monkeypatch, tmp_path):
    """What main does, check by check, with what the node would say."""
    done, world = [], {"links": ["x"], "found": ("", 0), "answers": True, "now": 0.0}
    monkeypatch.setattr(watchdog, "STATE", tmp_path / "state.json")
    monkeypatch.setattr(watchdog, "links", lambda: world["links"])
    monkeypatch.setattr(watchdog, "answers", lambda _port: world["answers"])
    monkeypatch.setattr(watchdog.time, "monotonic", lambda: world["now"])
    monkeypatch.setattr(watchdog.sys, "argv", ["watchdog", "a", "5671"])
    monkeypatch.setattr(watchdog, "node_state", lambda _node, _port: done.append("check") or world["found"])
    monkeypatch.setattr(watchdog.subprocess, "run", lambda call, **_options: done.append(call[1]))

    def after(seconds, **changes):
        world.update(changes, now=world["now"] + seconds)
        done.clear()
        watchdog.main()
        return list(done)

    return after


def test_a_calm_node_is_checked_rarely(run):
    said = [run(35) for _ in range(40)]
    assert said[:4] == [["check"]] * 4
    # In the 36 that follow, every 300 s.
    assert sum(map(len, said[4:])) == 4


def test_a_change_is_checked_at_once_and_for_a_while(run):
    for _ in range(10):
        run(35)
    assert run(35, links=["y"]) == ["check"]
    # Each node finds out at its own pace: not the first check, but the second one sees it.
    assert run(35, found=("it is cut off from most others", 20)) == ["check"]
    assert run(35) == ["check", "try-restart"]


def test_a_calm_node_that_does_not_answer_is_checked(run):
    for _ in range(10):
        run(35)
    frozen = {"answers": False, "found": (watchdog.NO_ANSWER, 20)}
    assert run(35, **frozen) == ["check"]
    assert run(35) == ["check", "kill"]
