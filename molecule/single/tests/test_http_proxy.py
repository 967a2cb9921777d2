"""Tasks reach the outside through the proxy; Airflow's own requests, which need no proxy, do not ask it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests
from cluster_access import access, wait_until

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


def session() -> requests.Session:
    """A session of the administrator."""
    cluster = access()
    opened = requests.Session()
    # This machine may have a proxy of its own.
    opened.trust_env = False
    opened.verify = cluster.ca_file
    login = {"username": cluster.user, "password": cluster.password}
    token = opened.post(f"{cluster.url}/auth/token", json=login, timeout=30).json()["access_token"]
    opened.headers["Authorization"] = f"Bearer {token}"
    return opened


def test_tasks_use_the_proxy_and_airflow_itself_does_not(proxy):
    opened = session()
    runs = f"{access().api_url}/dags/{DAG}/dagRuns"
    answer = opened.post(runs, json={"logical_date": None}, timeout=30)
    assert answer.status_code == 200, answer.text
    run = f"{runs}/{answer.json()['dag_run_id']}"
    wait_until(
        "the run ends", lambda: opened.get(run, timeout=30).json()["state"] in ("success", "failed"), 120, every=1.0
    )
    instance = f"{run}/taskInstances/ask"
    log = opened.get(f"{instance}/logs/1?full_content=true", headers={"Accept": "application/json"}, timeout=60)
    assert opened.get(run, timeout=30).json()["state"] == "success", log.text
    # The result went to the execution API, and the log comes from the worker's own server.
    assert opened.get(f"{instance}/xcomEntries/return_value", timeout=30).json()["value"] == ANSWER
    assert "Could not read served logs" not in log.text
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
