"""Metrics of every tier arrive, every panel of the dashboards has data, and alerts fire, and end, by real faults."""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
import requests
from cluster_access import wait_until
from dag_runs import DagRuns
from prometheus import Prometheus, panels

ROOT = Path(__file__).parents[3]
SERVER, MASTER, WORKER = "monitoring1", "node1", "worker1"
DRAINED = "/etc/airflow/drained"
# A certificate that has ended long ago.
ENDED = "/etc/flightdeck-metrics/airflow-tls/ended.crt"
BROKEN = "/var/lib/airflow/dags/current/broken.py"
ONE_TASK = {"instances": {"default": 1}, "seconds": 1}
RECEIVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        open("/run/alerts.jsonl", "ab").write(body + b"\\n")
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", 9099), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def server(cluster):
    return Prometheus(cluster, SERVER)


@pytest.fixture(scope="module", autouse=True)
def receiver(host_named):
    """A program that gets alerts, as the user's would."""
    host = host_named(SERVER)
    host.run("systemctl stop alerts-receiver")
    host.check_output("rm -f /run/alerts.jsonl")
    subprocess.run(
        ["docker", "exec", "--interactive", host.backend.name, "tee", "/run/receiver.py"],
        input=RECEIVER,
        text=True,
        check=True,
        capture_output=True,
    )
    host.check_output("systemd-run --unit=alerts-receiver python3 /run/receiver.py")


@pytest.fixture(scope="module", autouse=True)
def task(cluster):
    """A task that has run, for its metrics."""
    runs = DagRuns(cluster)
    runs.succeed(runs.start(**ONE_TASK))


def test_every_target_answers(cluster, server):
    wanted = {(job, host) for job, hosts in cluster.model["scraping"]["jobs"].items() for host in hosts}
    wanted |= {("prometheus", SERVER), ("alertmanager", SERVER)}

    def answer():
        found = server.targets()
        assert found.keys() == wanted
        return all(found.values())

    wait_until("every target answers", answer, 60)


@pytest.mark.parametrize(
    "name",
    [
        "node_load1",
        'node_systemd_unit_state{name="airflow-worker@default.service", state="active"} == 1',
        'flightdeck_certificate_end_timestamp_seconds{path="/etc/haproxy/airflow-tls/web.pem"} > time()',
        "flightdeck_drained == 0",
        "flightdeck_dags_info",
        'flightdeck_health_failed_checks{unit="airflow-scheduler"} == 0',
        "pg_up == 1",
        'pg_database_size_bytes{datname="airflow"} > 0',
        'rabbitmq_queue_consumers{queue="default"} == 1',
        'rabbitmq_queue_messages_unacked{queue="default"}',
        'haproxy_backend_active_servers{proxy="web"} == 1',
        'airflow_events_total{metric="scheduler_heartbeat", instance="node1"}',
        'airflow_events_total{metric="triggerer_heartbeat"}',
        'airflow_gauge{metric="pool.open_slots", pool_name="default_pool"} > 0',
        'airflow_gauge{metric="executor.open_slots"} > 0',
        'airflow_gauge{metric="dag_processing.import_errors"} == 0',
        'airflow_seconds{metric="scheduler.scheduler_loop_duration", statistic="average"} > 0',
        'airflow_events_total{metric="ti.finish", state="success", instance="worker1"} > 0',
        'airflow_seconds{metric="task.duration", statistic="average", task_id!=""}',
    ],
)
def test_a_metric_of_every_tier_arrives(server, name):
    wait_until(f"{name} arrives", lambda: server.query(name), 90)


def test_only_who_has_a_certificate_reads_metrics(cluster):
    node = cluster.model["nodes"][MASTER]
    context = ssl.create_default_context(cafile=cluster.ca_file)
    with (
        pytest.raises(ssl.SSLError),
        socket.create_connection((node["address"], node["metrics"]["port"]), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=node["address"]) as client,
    ):
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert not client.recv(1)


@pytest.mark.parametrize("program", ["url", "alertmanager_url"])
def test_who_does_not_log_in_sees_nothing(server, program):
    where = getattr(server, program)
    assert requests.get(where, timeout=10).status_code == 401
    assert requests.get(where, auth=(server.login[0], "wrong"), timeout=10).status_code == 401
    assert requests.get(where, auth=server.login, timeout=10).status_code == 200


def test_exporters_listen_on_the_host_itself_alone(host_named):
    for name in (MASTER, WORKER, SERVER):
        listed = host_named(name).check_output("ss --listening --tcp --udp --numeric --no-header")
        ports = re.findall(r"(\S+):(9100|9103|9187|8125)\s", listed)
        assert {address for address, _port in ports} == {"127.0.0.1"}


def test_no_secret_is_in_the_metrics_or_the_configuration(cluster, server, host_named):
    secrets = {name: value for name, value in cluster.secrets.items() if isinstance(value, str) and len(value) >= 12}
    # A URL that the inventory gives, without a token.
    del secrets["alert_webhook_url"]
    text = json.dumps(server.query('{__name__=~".+"}'))
    text += host_named(SERVER).check_output("cat /etc/prometheus/airflow.yml /etc/prometheus/airflow.rules.yml")
    assert not [name for name, value in secrets.items() if value in text]


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in panels()])
def test_every_panel_has_data(server, text):
    if re.search(r"\b(patroni|etcd|redis)_", text):
        pytest.skip("this cluster has neither Patroni nor Redis; debian13 has Patroni")
    wait_until(f"{text} has data", lambda: server.query(text), 60)


def test_files_for_a_prometheus_of_the_users_are_complete(cluster):
    folder = ROOT / ".cache/monitoring"
    assert (folder / "airflow.rules.yml").read_text() == (ROOT / "roles/monitoring/files/airflow.rules.yml").read_text()
    text = (folder / "scrape_configs.yml").read_text()
    assert all(node["address"] in text for node in cluster.model["nodes"].values())
    assert len(list((folder / "dashboards").glob("*.json"))) == len(
        list((ROOT / "roles/monitoring/files/dashboards").glob("*.json"))
    )


def test_no_alert_fires_in_a_healthy_cluster(server):
    assert server.firing() == set()


def received(host):
    """Alerts that the user's program got, each with its state."""
    lines = host.run("cat /run/alerts.jsonl").stdout.splitlines()
    return {
        (alert["labels"]["alertname"], alert["status"])
        for line in lines
        if line
        for alert in json.loads(line)["alerts"]
    }


def test_alerts_of_airflow_fire_and_end(cluster, server, host_named):
    master, worker, watching = map(host_named, (MASTER, WORKER, SERVER))
    # A drained host, on which nothing runs, and one that was forgotten.
    worker.check_output(f"touch {DRAINED}")
    worker.check_output("systemctl stop airflow-worker@default.service")
    watching.check_output(f"touch --date='2 days ago' {DRAINED}")
    watching.check_output(
        f"openssl req -x509 -newkey ed25519 -nodes -days 1 -subj /CN=x -keyout /run/x.key -out {ENDED}"
    )
    # Without these words it is no DAG file.
    master.check_output(f"echo 'raise RuntimeError  # airflow dag' > {BROKEN}")
    runs = DagRuns(cluster)
    run = runs.start(**ONE_TASK)
    wait_until("a task waits", lambda: server.query('rabbitmq_queue_messages_ready{queue="default"} > 0'), 60)
    master.check_output("systemctl stop airflow-scheduler.service")
    expected = {
        ("QueueWithoutConsumers", ""),
        ("ServiceDown", MASTER),
        ("DrainForgotten", SERVER),
        ("CertificateEnds", SERVER),
        ("DagImportErrors", ""),
    }
    wait_until(f"{sorted(expected)} fire", lambda: server.firing() >= expected, 120)
    assert server.firing() == expected
    wait_until("the receiver has them", lambda: {(name, "firing") for name, _ in expected} <= received(watching), 60)
    master.check_output(f"rm {BROKEN}")
    master.check_output("systemctl start airflow-scheduler.service")
    watching.check_output(f"rm {DRAINED} {ENDED}")
    worker.check_output(f"rm {DRAINED}")
    worker.check_output("systemctl start airflow-worker@default.service")
    wait_until("the alerts end", lambda: not server.firing(), 120)
    runs.succeed(run)


def test_alerts_of_services_and_hosts_fire_and_end(cluster, server, host_named):
    master = host_named(MASTER)
    master.check_output("systemctl stop rabbitmq-server.service postgresql@*-main.service")
    subprocess.run(["docker", "pause", cluster.containers[WORKER]], check=True, capture_output=True)
    expected = {
        ("BrokerDown", MASTER),
        ("ServiceDown", MASTER),
        ("MetastoreDown", MASTER),
        ("BackendDown", MASTER),
        ("HostDown", WORKER),
    }
    try:
        wait_until(f"{sorted(expected)} fire", lambda: server.firing() >= expected, 120)
    finally:
        subprocess.run(["docker", "unpause", cluster.containers[WORKER]], check=True, capture_output=True)
        master.check_output("systemctl start rabbitmq-server.service postgresql.service")
        master.check_output("systemctl start 'postgresql@15-main.service'")
    wait_until("the alerts end", lambda: not {name for name, _ in server.firing()} - {"ServiceRestarts"}, 180)
    wait_until("the receiver has that", lambda: ("BrokerDown", "resolved") in received(host_named(SERVER)), 120)
