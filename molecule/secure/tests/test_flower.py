"""Flower shows the workers to those who log in, and its account of RabbitMQ is of no use for tasks."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.error
import urllib.request

import pytest
from cluster_access import access, release_python, wait_until

# What is tried with Flower's URL of the broker, and what it says.
TRY = """
import ssl, sys
from pathlib import Path
from urllib.parse import urlsplit
from amqp.exceptions import AccessRefused
from kombu import Connection
url = Path("/etc/airflow/secrets/flower_broker_url").read_text()
tls = {"ca_certs": "/etc/airflow/secrets/ca.crt", "cert_reqs": ssl.CERT_REQUIRED}
tls["server_hostname"] = urlsplit(url).hostname
with Connection(url, ssl=tls, transport_options={"confirm_publish": True}) as connection:
    try:
        channel = connection.channel()
        if sys.argv[1] == "send a task":
            connection.Producer(channel).publish("task", exchange="", routing_key="default")
        elif sys.argv[1] == "read a queue of tasks":
            channel.basic_get("default")
        elif sys.argv[1] == "declare a queue":
            channel.queue_declare("mine")
        else:
            channel.queue_declare("celeryev.mine", durable=False, auto_delete=True)
        print("allowed")
    except AccessRefused:
        print("refused")
"""


def ask(path, password="", data=None):
    """Status and text of Flower's answer through the load balancer."""
    balancer = access().model["nodes"][access().model["hosts_of"]["haproxy"][0]["name"]]
    (front,) = (listener for listener in balancer["haproxy"]["listeners"] if listener["name"] == "flower")
    request = urllib.request.Request(f"https://{balancer['address']}:{front['port']}{path}", data)
    if password:
        request.add_header("Authorization", f"Basic {base64.b64encode(f'flower:{password}'.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def workers():
    """Names of the cluster's workers as Celery has them."""
    nodes = [access().model["nodes"][host["name"]]["airflow"] for host in access().model["hosts_of"]["worker"]]
    return {f"{queue['name']}@{node['address']}" for node in nodes for queue in node["queues"]}


def test_it_shows_all_workers_to_who_logs_in():
    password = access().secrets["flower_password"]

    def shown():
        status, text = ask("/api/workers?refresh=1", password)
        assert status == 200, text
        found = json.loads(text)
        return {name for name, worker in found.items() if worker.get("active_queues")} == workers()

    wait_until("Flower knows all workers", shown, 60)
    wait_until(
        "Flower gets the events of all",
        lambda: set(json.loads(ask("/api/workers?status=1", password)[1])) == workers(),
        60,
    )


@pytest.mark.parametrize("path", ["/", "/workers", "/tasks", "/api/workers", "/api/tasks"])
def test_without_the_login_it_shows_nothing(path):
    assert ask(path)[0] == 401
    assert ask(path, "wrong")[0] == 401


@pytest.mark.parametrize("path", ["/metrics", "/broker", "//broker", "/api/queues/length"])
def test_what_has_no_login_or_sends_a_password_is_not_passed_on(path):
    assert ask(path, access().secrets["flower_password"])[0] == 403


@pytest.mark.parametrize("path", ["/api/worker/shutdown/{worker}", "/api/task/send-task/a.task"])
def test_it_changes_nothing(path):
    status, text = ask(path.format(worker=min(workers())), access().secrets["flower_password"], b"{}")
    assert (status, text) == (403, "Read only mode is enabled")


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("send a task", "refused"),
        ("read a queue of tasks", "refused"),
        ("declare a queue", "refused"),
        ("declare a queue of events", "allowed"),
    ],
)
def test_its_account_of_the_broker_is_of_no_use_for_tasks(what, answer):
    host = access().model["hosts_of"]["flower"][0]["name"]
    command = release_python(access().containers[host], TRY, what)
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip() == answer
