"""Which messages a worker drops. Celery itself is not there: that it calls this is shown by the scenario brokers."""

from __future__ import annotations

import base64
import importlib.util
import json
import logging
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

PATH = Path(__file__).parents[5] / "roles/airflow/files/flightdeck_worker.py"


class Base:
    """As much of Celery's consumer as is used."""

    connection_errors = (OSError,)

    def __init__(self, app):
        self.app = app

    def create_task_handler(self):
        return lambda message: message.done.append("handled")


@pytest.fixture
def worker(monkeypatch):
    for name, content in (
        ("celery", {}),
        ("celery.utils", {}),
        ("celery.utils.log", {"get_logger": logging.getLogger}),
        ("celery.worker", {"consumer": SimpleNamespace(Consumer=Base)}),
        ("kombu", {"Queue": object}),
    ):
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location("flightdeck_worker", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def app(url="redis://127.0.0.1/0"):
    mailbox = SimpleNamespace(get_queue=lambda name: name)
    return SimpleNamespace(conf=SimpleNamespace(broker_url=url), control=SimpleNamespace(mailbox=mailbox))


def token(**claims):
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.c2ln"


def message(*content):
    done = []
    body = [list(content), {}, {}]
    return SimpleNamespace(
        done=done, headers={"id": "x"}, decode=lambda: body, ack_log_error=lambda _log, _errors: done.append("dropped")
    )


@pytest.mark.parametrize(
    ("content", "done"),
    [
        # By the clock of the test, not of the collection.
        (lambda now: [json.dumps({"ti": {}, "token": token(exp=now + 600)})], "handled"),
        (lambda now: [json.dumps({"ti": {}, "token": token(exp=now - 60)})], "dropped"),
        (lambda now: [json.dumps({"callback": {}, "token": token(exp=now - 60)})], "handled"),
        (lambda _now: [json.dumps({"ti": {}, "token": token()})], "handled"),
        (lambda _now: [json.dumps({"ti": {}, "token": "no token"})], "handled"),
        (lambda _now: [json.dumps({"ti": {}})], "handled"),
        # Airflow 2.
        (lambda _now: [["airflow", "tasks", "run"]], "handled"),
        (lambda _now: [], "handled"),
    ],
)
def test_only_a_message_whose_token_has_run_out_is_dropped(worker, content, done):
    received = message(*content(time.time()))
    worker.Consumer(app()).create_task_handler()(received)
    assert received.done == [done]


def test_only_with_rabbitmq_the_control_queue_has_another_name_each_time(worker):
    redis, rabbitmq = app(), app("AMQPS://127.0.0.1//")
    for one in (redis, rabbitmq):
        worker.Consumer(one)
    assert redis.control.mailbox.get_queue("a") == "a"
    names = {rabbitmq.control.mailbox.get_queue("a") for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith("a.") for name in names)
