"""Tasks reach the outside through the proxy; Airflow's own requests, which need no proxy, do not ask it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from cluster_access import access
from dag_runs import DagRuns

DAG = "flightdeck_outside"
ANSWER = "from the proxy"


class Proxy(http.server.ThreadingHTTPServer):
    """A forward proxy that answers in the place of every server, and knows what it was asked for."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.asked: list[str] = []
        super().__init__(address, Handler)


class Handler(http.server.BaseHTTPRequestHandler):
    """One request to the proxy."""

    server: Proxy

    def do_GET(self) -> None:
        """Answer a request in plain text."""
        self.server.asked.append(f"{self.command} {self.path}")
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER.encode())

    def do_POST(self) -> None:
        """Note what no process is meant to send through it."""
        self.server.asked.append(f"{self.command} {self.path}")
        self.send_error(403)

    def do_CONNECT(self) -> None:
        """Note who wants TLS, which the task does not."""
        self.do_POST()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """The proxy of the inventory, which runs for this test only: the cluster was deployed, and verified, without it."""
    nodes = access().model["nodes"].values()
    (url,) = {node["airflow"]["proxy_environment"]["HTTPS_PROXY"] for node in nodes if "airflow" in node}
    parts = urlsplit(url)
    with Proxy((str(parts.hostname), int(parts.port or 80))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_tasks_use_the_proxy_and_airflow_itself_does_not(proxy):
    runs = DagRuns(access(), DAG)
    run = runs.start()
    runs.succeed(run)
    # The result went to the execution API, and the log comes from the worker's own server.
    assert runs.result(run, "ask") == ANSWER
    assert "Could not read served logs" not in runs.log(run, "ask")
    assert proxy.asked == ["GET http://outside.example.org/question"]


def test_every_process_of_airflow_has_the_proxy_and_the_exceptions(cluster, host_named):
    (name,) = cluster.model["nodes"]
    host, node = host_named(name), cluster.model["nodes"][name]
    for unit in node["airflow"]["units"]:
        pid = host.check_output("systemctl show --property=MainPID --value %s.service", unit["unit"])
        found = dict(line.partition("=")[::2] for line in host.file(f"/proc/{pid}/environ").content_string.split("\0"))
        assert {key: found[key] for key in node["airflow"]["proxy_environment"]} == node["airflow"][
            "proxy_environment"
        ], unit
