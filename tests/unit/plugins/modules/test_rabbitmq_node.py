"""The cookie of a running node, which hears nobody who has another one, and the first start of a node without data."""

from __future__ import annotations

import os
import pwd
import socket
from types import SimpleNamespace

import pytest
from ansible_collections.flightdeck.airflow.plugins.modules import rabbitmq_node


class Broker:
    """What stands for the module and for a node with a cookie of its own: tools are heard when the file says the same."""

    check_mode = False

    def __init__(self, file, cookie, takes=True):
        self.params = {"node": "rabbit@mq1", "cookie": "new", "management_port": 15672, "admin_user": "admin", "admin_password": "secret"}
        self.file, self.cookie, self.takes = file, cookie, takes

    def run_command(self, command):
        if self.file.read_text() != self.cookie:
            return 69, "", "Error: unable to perform an operation"
        if "eval" in command and self.takes:
            self.cookie = self.file.with_name(f"{self.file.name}.next").read_text()
            return 0, "true\n", ""
        return (1, "", "Error: refused") if "eval" in command else (0, "pong", "")

    def fail_json(self, **result):
        raise RuntimeError(result["msg"])


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(rabbitmq_node, "COOKIE", str(tmp_path / "cookie"))
    monkeypatch.setattr(pwd, "getpwnam", lambda _name: SimpleNamespace(pw_uid=os.getuid(), pw_gid=os.getgid()))
    (tmp_path / "cookie").write_text("old")
    return tmp_path / "cookie"


@pytest.mark.parametrize("cookie", ["old", "new"], ids=["of the file", "new already, because a run was killed before it wrote the file"])
def test_a_running_node_and_its_file_get_the_new_cookie(file, cookie):
    broker = Broker(file, cookie)
    rabbitmq_node.Node(broker).ensure_cookie(active=True)
    assert (broker.cookie, file.read_text()) == ("new", "new")


@pytest.mark.parametrize("cookie", ["old", "unknown"])
def test_a_node_that_does_not_take_it_keeps_what_it_has(file, cookie):
    broker = Broker(file, cookie, takes=False)
    with pytest.raises(RuntimeError, match="did not take the cookie"):
        rabbitmq_node.Node(broker).ensure_cookie(active=True)
    assert (broker.cookie, file.read_text()) == (cookie, "old")


def test_one_that_is_stopped_gets_the_file(file):
    rabbitmq_node.Node(Broker(file, "old")).ensure_cookie(active=False)
    assert file.read_text() == "new"


def first(port, node, seed):
    """A node without data; its peer is this machine, with ``port``."""
    broker = SimpleNamespace(check_mode=False, fail_json=Broker.fail_json.__get__(object()))
    api = {"management_port": 15672, "admin_user": "admin", "admin_password": "secret"}
    cluster = {"nodes": ["rabbit@mq1", "rabbit@localhost"], "seed_node": seed, "seed_address": "127.0.0.1", "port": port}
    broker.params = {"node": node, "timeout_seconds": 0, **api, **cluster}
    return rabbitmq_node.Node(broker)


@pytest.fixture
def open_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def closed_port():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield unused.getsockname()[1]


def test_the_seed_begins_a_cluster_only_where_there_is_none(open_port, closed_port):
    first(closed_port, "rabbit@mq1", "rabbit@mq1").prepare_first_start()
    with pytest.raises(RuntimeError, match="would begin a new cluster, but rabbit@localhost can be reached; run without --limit"):
        first(open_port, "rabbit@mq1", "rabbit@mq1").prepare_first_start()


def test_others_wait_for_the_seed(open_port, closed_port):
    first(open_port, "rabbit@mq1", "rabbit@localhost").prepare_first_start()
    with pytest.raises(RuntimeError, match="waited 0 s for the seed rabbit@localhost before the first start"):
        first(closed_port, "rabbit@mq1", "rabbit@localhost").prepare_first_start()
