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
