"""How a node starts, joins, gets its copies of queues and restarts: with a systemd and a management API of these
tests."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from ansible_collections.flightdeck.airflow.plugins.modules import rabbitmq_node, rabbitmq_queues

UNIT = rabbitmq_node.UNIT
# Both names can be resolved on this machine.
ME, OTHER = "rabbit@127.0.0.1", "rabbit@localhost"


class Api:
    """A management API; ``says`` maps paths to status and body."""

    def __init__(self, port):
        self.port = port
        members = [{"name": name, "running": True, "partitions": []} for name in (ME, OTHER)]
        self.says = {"whoami": (200, {}), "nodes": (200, members), "users/guest": (404, {})}
        self.deleted = []


@pytest.fixture
def api():
    class Handler(BaseHTTPRequestHandler):
        def answer(self, status, body):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def do_GET(self):
            path = self.path.removeprefix("/api/")
            self.answer(*api.says.get(path.partition("?")[0], (200, {})))

        def do_DELETE(self):
            api.deleted.append(self.path)
            self.answer(204, {})

        def log_message(self, *_):
            """Nothing: the answers are all."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        api = Api(server.server_port)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield api
        server.shutdown()


@pytest.fixture
def node(host, monkeypatch):
    """A node with data, which is installed and not started."""
    monkeypatch.setattr(rabbitmq_node, "DATA", str(host.folder / "data"))
    monkeypatch.setattr(rabbitmq_node, "WAIT_SECONDS", 0)
    monkeypatch.setattr(rabbitmq_node, "POLL_SECONDS", 0)
    (host.folder / "data" / ME).mkdir(parents=True)
    (host.folder / "data" / ME / rabbitmq_node.SCHEMA).touch()
    host.program("rabbitmq-upgrade", "import os; open(os.environ['FAKE_HOST'] + '/commands', 'a').write('drain\\n')")
    host.write("rabbitmq.conf")
    host.write("definitions.json")
    host.add(UNIT, active=False, enabled=False)
    return host


def run(host, api, *, check=False, **changes):
    arguments = {
        "node": ME,
        "nodes": [ME, OTHER],
        "seed_node": ME,
        "seed_address": "127.0.0.1",
        "port": 1,
        "management_port": api.port,
        "admin_user": "admin",
        "admin_password": "secret",
        "restart_on": [str(host.etc / "rabbitmq.conf")],
        "reload_on": [str(host.etc / "definitions.json")],
    }
    return host.run("rabbitmq_node", check=check, **{**arguments, **changes})


def test_a_node_is_started_once_and_its_default_user_goes(node, api):
    api.says["users/guest"] = (200, {})
    assert run(node, api, check=True)["changed"]
    assert (node.commands(), api.deleted) == ([], [])
    assert run(node, api)["changed"]
    assert node.commands() == ["daemon-reload", f"enable --quiet {UNIT}", f"start {UNIT}"]
    assert api.deleted == ["/api/users/guest"]
    api.says["users/guest"] = (404, {})
    assert not run(node, api)["changed"]


def test_definitions_are_loaded_without_a_restart(node, api):
    run(node, api)
    node.write("definitions.json", "two\n")
    assert run(node, api)["actions"] == [f"reload {UNIT}"]
    assert not run(node, api)["changed"]


def test_a_password_that_is_not_that_of_the_file_is_cured_by_it(node, api):
    run(node, api)
    node.commands()
    api.says["whoami"] = (401, {})
    assert "the management API refuses the admin password" in run(node, api)["msg"]
    assert node.commands() == [f"reload {UNIT}"]


def test_a_node_restarts_when_that_does_no_harm(node, api):
    run(node, api)
    node.write("rabbitmq.conf", "two\n")
    found = run(node, api)
    assert (found["changed"], found["stale"]) == (True, [UNIT])
    node.commands()
    api.says["health/checks/node-is-quorum-critical"] = (503, {"reason": "a queue would lose its quorum"})
    refused = run(node, api, state="restarted")
    assert "waited 0 s for a cluster in which this node may stop" in refused["msg"]
    assert "a queue would lose its quorum" in refused["msg"]
    assert node.commands() == []
    del api.says["health/checks/node-is-quorum-critical"]
    run(node, api, state="restarted")
    assert node.commands() == ["drain", f"restart {UNIT}"]
    assert not run(node, api)["changed"]


def test_a_node_is_drained_for_an_update_and_restarts_where_that_did_not(node, api):
    run(node, api)
    node.commands()
    api.says["health/checks/node-is-quorum-critical"] = (503, {"reason": "a queue would lose its quorum"})
    assert "a queue would lose its quorum" in run(node, api, state="drained")["msg"]
    assert node.commands() == []
    del api.says["health/checks/node-is-quorum-critical"]
    run(node, api, check=True, state="drained")
    assert node.commands() == []
    assert run(node, api, state="drained")["actions"] == [f"drain {ME}"]
    assert node.commands() == ["drain"]
    assert not run(node, api, state="restarted")["changed"]
    assert run(node, api, state="restarted", always=True)["actions"] == [f"restart {UNIT}"]
    assert node.commands() == [f"restart {UNIT}"]


def test_a_node_of_another_cluster_is_reported(node, api):
    api.says["nodes"] = (200, [{"name": ME, "running": True}])
    assert (
        "in a cluster of its own (rabbit@127.0.0.1) without the seed rabbit@localhost"
        in run(node, api, seed_node=OTHER)["msg"]
    )
    api.says["nodes"] = (200, [{"name": name, "running": True} for name in (ME, OTHER, "rabbit@gone")])
    assert "member but not in the inventory: rabbit@gone" in run(node, api)["msg"]


@pytest.fixture
def open_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def closed_port():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield unused.getsockname()[1]


def first(port, node, seed):
    """What would be started for the first time; its peer is this machine, with ``port``."""

    def refuse(**result):
        raise RuntimeError(result["msg"])

    login = {"management_port": 15672, "admin_user": "admin", "admin_password": "secret"}
    cluster = {"nodes": [ME, OTHER], "seed_node": seed, "seed_address": "127.0.0.1", "port": port}
    return rabbitmq_node.Node(
        SimpleNamespace(check_mode=False, fail_json=refuse, params={"node": node, **login, **cluster})
    )


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(rabbitmq_node, "WAIT_SECONDS", 0)


@pytest.mark.usefixtures("at_once")
def test_the_seed_begins_a_cluster_only_where_there_is_none(open_port, closed_port):
    first(closed_port, ME, ME).prepare_first_start()
    with pytest.raises(
        RuntimeError, match="would begin a new cluster, but rabbit@localhost can be reached; run without --limit"
    ):
        first(open_port, ME, ME).prepare_first_start()


@pytest.mark.usefixtures("at_once")
def test_others_wait_for_the_seed(open_port, closed_port):
    first(open_port, ME, OTHER).prepare_first_start()
    with pytest.raises(RuntimeError, match="waited 0 s for the seed rabbit@localhost before the first start"):
        first(closed_port, ME, OTHER).prepare_first_start()


GROW = """
import json, os, pathlib
path = pathlib.Path(os.environ["FAKE_HOST"]) / "grown"
path.write_text(path.read_text() + "x" if path.exists() else "x")
"""


def test_copies_of_queues_are_added_until_all_are_there(host, api, monkeypatch):
    monkeypatch.setattr(rabbitmq_queues, "POLL_SECONDS", 0)
    host.program("rabbitmq-queues", GROW)

    def queues(*members):
        return (200, [{"name": "default", "type": "quorum", "members": list(members)}])

    class Growing(dict):
        """What the API says of queues depends on how often they have grown: the first attempt fails."""

        def get(self, path, default):
            grown = (host.folder / "grown").exists() and len((host.folder / "grown").read_text())
            return queues(OTHER, *([ME] if grown >= 2 else [])) if path == "queues/airflow" else default

    api.says = Growing()
    login = {"management_port": api.port, "admin_user": "admin", "admin_password": "secret"}
    arguments = {"node": ME, "vhost": "airflow", **login}
    assert host.run("rabbitmq_queues", check=True, **arguments)["queues"] == ["default"]
    assert not (host.folder / "grown").exists()
    assert host.run("rabbitmq_queues", **arguments)["queues"] == ["default"]
    assert (host.folder / "grown").read_text() == "xx"
    assert not host.run("rabbitmq_queues", **arguments)["changed"]
    unreachable = {**arguments, "management_port": 1}
    assert "does not answer" in host.run("rabbitmq_queues", **unreachable)["msg"]
    assert not host.run("rabbitmq_queues", check=True, **unreachable)["changed"]
