"""The canary and its API client against a server that answers like Airflow's."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _airflow_api
from ansible_collections.flightdeck.airflow.plugins.module_utils._airflow_api import Api, ApiError, Deadline
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._api import canary as canary_api
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._api.canary import Canary

PASSWORD = "s3cret@:/?#%&'\" $\\ü"
ADDRESSES = {"worker1": "172.30.0.21", "worker2": "172.30.0.22"}
QUEUES = {"default": ["worker1", "worker2"]}


class Airflow:
    """State of the imitated Airflow; a test changes what it wants to go wrong."""

    def __init__(self, major: int) -> None:
        self.major = major
        self.dag: dict[str, Any] | None = {"is_paused": True}
        self.queues = ["default"]
        self.runs: dict[str, dict[str, Any]] = {}
        self.import_errors: list[dict[str, str]] = []
        # Workers that take tasks, per run: the first run uses the first entry.
        self.takers: list[list[str]] = [["172.30.0.21", "172.30.0.22"]]
        self.failures = 0
        self.log = "flightdeck-canary run={run} queue=default"
        self.end_state = "success"
        self.deleted: list[str] = []
        self.list_status = 200

    def instances(self, run: str) -> list[dict[str, Any]]:
        state = self.runs[run]
        takers, count = state["takers"], state["conf"]["instances"]["default"]
        plan = {
            "task_id": "plan__default",
            "state": "success",
            "queue": "default",
            "hostname": takers[0],
            "map_index": -1,
            "try_number": 1,
        }
        probes = [
            {
                "task_id": "probe__default",
                "state": "success" if self.end_state == "success" else "queued",
                "queue": "default",
                "hostname": takers[number % len(takers)],
                "map_index": number,
                "try_number": 1,
            }
            for number in range(count)
        ]
        return [plan, *probes]

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any, token: str) -> tuple[int, Any]:
        if self.failures:
            self.failures -= 1
            return 503, "<html>no server</html>"
        if path == "/auth/token":
            return (
                (201, {"access_token": "t0ken"})
                if body["password"] == PASSWORD
                else (401, {"detail": "Invalid credentials"})
            )
        if self.major >= 3 and token != "Bearer t0ken":
            return 401, {"detail": "Not authenticated"}
        if self.major < 3 and token != "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode():
            return 401, {"title": "Unauthorized", "detail": None}
        prefix = f"/api/v{2 if self.major >= 3 else 1}"
        assert path.startswith(prefix), path
        path = path.removeprefix(prefix)
        if path == "/dags":
            return 200, {"dags": []}
        if path == "/importErrors":
            return 200, {"import_errors": self.import_errors}
        if self.dag is None:
            return 404, {"detail": "The Dag with ID: `flightdeck_canary` was not found"}
        path = path.removeprefix("/dags/flightdeck_canary")
        if path == "":
            if method == "PATCH":
                self.dag.update(body)
            return 200, self.dag
        if path == "/tasks":
            return 200, {
                "tasks": [{"task_id": f"{kind}__{queue}"} for queue in self.queues for kind in ("plan", "probe")]
            }
        return self.run(method, path, query, body)

    def run(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        if path == "/dagRuns" and method == "POST":
            name = body["dag_run_id"]
            if name in self.runs:
                return 409, {"detail": "exists"}
            assert ("logical_date" in body) == (self.major >= 3)
            takers = self.takers[min(len(self.runs), len(self.takers) - 1)]
            self.runs[name] = {"dag_run_id": name, "state": self.end_state, "conf": body["conf"], "takers": takers}
            return 200, self.runs[name]
        if path == "/dagRuns":
            return self.list_status, {"dag_runs": list(reversed(self.runs.values()))}
        _, _, name, *rest = path.split("/")
        if method == "DELETE":
            self.deleted.append(name)
            return 204, ""
        if not rest:
            return 200, self.runs[name]
        found = self.instances(name)
        if rest == ["taskInstances"]:
            offset, limit = int(query["offset"][0]), int(query["limit"][0])
            return 200, {"task_instances": found[offset : offset + limit]}
        assert rest[2] == "logs", rest
        return 200, {"content": [{"event": self.log.format(run=name) + " end"}]}


@pytest.fixture(params=[3, 2])
def airflow(request: pytest.FixtureRequest) -> Iterator[Airflow]:
    imitated = Airflow(request.param)

    class Handler(BaseHTTPRequestHandler):
        def handle_all(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            parts = urlsplit(self.path)
            status, answer = imitated.answer(
                self.command, parts.path, parse_qs(parts.query), body, self.headers.get("Authorization", "")
            )
            data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    for method in ("GET", "POST", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.handle_all)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    imitated.url = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    yield imitated
    server.shutdown()
    thread.join()
    server.server_close()


def canary(
    airflow: Airflow, *, password: str = PASSWORD, seconds: float = 30, queues: dict[str, list[str]] | None = None
) -> Canary:
    api = Api(airflow.url, airflow.major, "admin", password, Deadline(seconds), pause=lambda _: None)  # type: ignore[attr-defined]
    return Canary(api, queues or QUEUES, ADDRESSES, pause=lambda _: None)


def test_every_worker_ran_something(airflow: Airflow) -> None:
    rows = canary(airflow).run()
    assert [(row["host"], row["state"], row["detail"]) for row in rows] == [
        ("worker1", "ok", "2 of 4 tasks, log read through the API"),
        ("worker2", "ok", "2 of 4 tasks, log read through the API"),
    ]
    assert len(airflow.runs) == 1
    assert airflow.dag == {"is_paused": False}


def test_a_worker_without_a_task_gets_more_chances(airflow: Airflow) -> None:
    airflow.takers = [["172.30.0.21"], ["172.30.0.21", "172.30.0.22"]]
    rows = canary(airflow).run()
    assert {row["state"] for row in rows} == {"ok"}
    assert [run["conf"]["instances"]["default"] for run in airflow.runs.values()] == [4, 8]


def test_a_worker_that_never_gets_one_is_named(airflow: Airflow) -> None:
    airflow.takers = [["172.30.0.21"]]
    rows = canary(airflow).run()
    assert [row["state"] for row in rows] == ["ok", "failed"]
    assert rows[1] == canary_api.row("canary default", "worker2", "failed", "ran none of 28 tasks of this queue")


def test_a_worker_that_is_not_in_the_inventory_is_named(airflow: Airflow) -> None:
    airflow.takers = [["172.30.0.21", "172.30.0.22", "172.30.0.99"]]
    rows = canary(airflow).run()
    assert rows[-1]["host"] == "172.30.0.99"
    assert "is no worker of this queue" in rows[-1]["detail"]


def test_a_run_that_does_not_end_says_what_it_waits_for(airflow: Airflow) -> None:
    airflow.end_state = "running"
    rows = canary(airflow, seconds=0.2).run()
    assert rows[-1]["detail"].endswith("is running after 0 s: probe__default 4 queued")
    assert {row["state"] for row in rows} == {"failed"}


def test_a_log_without_the_canarys_line_is_a_finding(airflow: Airflow) -> None:
    airflow.log = "*** could not read the log"
    rows = canary(airflow).run()
    assert {row["state"] for row in rows} == {"failed"}
    assert "could not read the log" in rows[0]["detail"]


def test_more_instances_than_one_page(airflow: Airflow) -> None:
    queues = {"default": [f"w{number}" for number in range(120)]}
    airflow.takers = [[f"10.0.0.{number}" for number in range(120)]]
    addresses = {f"w{number}": f"10.0.0.{number}" for number in range(120)}
    checked = Canary(canary(airflow).api, queues, addresses, pause=lambda _: None)
    assert {row["state"] for row in checked.run()} == {"ok"}


def test_a_wrong_password_is_said_without_showing_it(airflow: Airflow) -> None:
    (row,) = canary(airflow, password="wr0ng").run()
    assert row["state"] == "failed"
    assert "login as admin" in row["detail"]
    assert "wr0ng" not in row["detail"]


def test_failures_that_pass_are_waited_for(airflow: Airflow) -> None:
    airflow.failures = 3
    assert {row["state"] for row in canary(airflow).run()} == {"ok"}


def test_failures_that_last_are_reported(airflow: Airflow) -> None:
    airflow.failures = 1_000_000
    (row,) = canary(airflow, seconds=0.05).run()
    assert "status 503, <html>no server</html>" in row["detail"]


def test_no_server_at_all() -> None:
    api = Api("http://127.0.0.1:1", 3, "admin", "x", Deadline(0), pause=lambda _: None)
    with pytest.raises(ApiError, match="no answer"):
        api.login()


def test_an_answer_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_airflow_api, "ANSWER_SECONDS", 0.05)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(b"waiting for the log\n")
                    time.sleep(0.01)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        api = Api(f"http://127.0.0.1:{server.server_port}", 3, "admin", "x", Deadline(0), pause=lambda _: None)
        with pytest.raises(ApiError, match="has not ended"):
            api.text("/log", "application/json")
        server.shutdown()


def test_a_dag_that_is_unknown(airflow: Airflow) -> None:
    airflow.dag = None
    (row,) = canary(airflow, seconds=0.05).run()
    assert "did not read flightdeck_canary with probe__default" in row["detail"]
    assert "is a dag_processor running" in row["detail"]


def test_a_dag_that_does_not_import(airflow: Airflow) -> None:
    airflow.dag = None
    airflow.import_errors = [
        {"filename": "flightdeck_canary.py", "stack_trace": "Traceback\nImportError: no airflow\n"}
    ]
    (row,) = canary(airflow, seconds=0.05).run()
    assert row["detail"].endswith(": ImportError: no airflow")


def test_a_dag_that_does_not_know_a_new_queue_yet(airflow: Airflow) -> None:
    (row,) = canary(airflow, seconds=0.05, queues={**QUEUES, "gpu": ["worker2"]}).run()
    assert "with probe__gpu within" in row["detail"]


def test_old_runs_of_its_own_are_deleted(airflow: Airflow) -> None:
    for number in range(25):
        airflow.runs[f"verify__{number:02d}"] = {"dag_run_id": f"verify__{number:02d}", "state": "success", "conf": {}}
    airflow.runs["manual__1"] = {"dag_run_id": "manual__1", "state": "success", "conf": {}}
    canary(airflow).run()
    assert airflow.deleted == [f"verify__{number:02d}" for number in range(5, -1, -1)]


@pytest.mark.parametrize(
    ("hostname", "name"),
    [
        ("172.30.0.21", "worker1"),
        ("worker1", "worker1"),
        ("worker1.example.org", "worker1"),
        ("[2001:db8::21]", "six"),
        ("other", "other"),
        ("", ""),
    ],
)
def test_the_node_of_a_host_name(hostname: str, name: str) -> None:
    hosts = {
        **{address: host for host, address in ADDRESSES.items()},
        **{host: host for host in ADDRESSES},
        "2001:db8::21": "six",
    }
    assert canary_api.node_of(hostname, hosts) == name


def test_queues_that_are_done_start_nothing_again() -> None:
    queues = {"default": ["w1", "w2"], "gpu": ["w2"]}
    assert canary_api.instances(queues, queues, 0) == {"default": 4, "gpu": 2}
    assert canary_api.instances(queues, {"gpu": ["w2"]}, 1) == {"default": 0, "gpu": 4}


def test_old_runs_that_cannot_be_listed_do_not_hold_up_the_verdict(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canary_api, "CLEAN_SECONDS", 0.05)
    airflow.list_status = 500
    said: list[str] = []
    checked = canary(airflow, seconds=3600)
    checked.progress = said.append
    assert {row["state"] for row in checked.run()} == {"ok"}
    assert said[-1].startswith("old runs were not deleted: ")
