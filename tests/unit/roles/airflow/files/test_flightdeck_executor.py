"""When a scheduler ends on SIGTERM. That Airflow calls this as it does here is shown by the scenario single."""

from __future__ import annotations

import importlib.util
import signal
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

PATH = Path(__file__).parents[5] / "roles/airflow/files/flightdeck_executor.py"


class Base:
    """As much of Airflow's executor as is used."""

    def __init__(self):
        self.queued = {}
        self.sent = []

    def start(self):
        pass

    def heartbeat(self):
        self.sent += self.queued
        self.queued.clear()


@pytest.fixture
def executor(monkeypatch):
    """An executor in a scheduler that ends at once on SIGTERM."""
    parts = ["airflow", "providers", "celery", "executors"]
    for number in range(1, len(parts) + 1):
        monkeypatch.setitem(sys.modules, ".".join(parts[:number]), ModuleType(parts[number - 1]))
    monkeypatch.setattr(
        sys.modules[".".join(parts)], "celery_executor", SimpleNamespace(CeleryExecutor=Base), raising=False
    )
    spec = importlib.util.spec_from_file_location("flightdeck_executor", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    made = module.CeleryExecutor()
    made.start()
    yield made
    signal.signal(signal.SIGTERM, before)


def test_a_scheduler_sends_what_is_queued_before_it_ends(executor):
    executor.queued["one"] = "workload"
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    assert executor.sent == []
    with pytest.raises(SystemExit):
        executor.heartbeat()
    assert executor.sent == ["one"]


def test_a_signal_while_it_sends_waits(executor, monkeypatch):
    executor.queued["one"] = "workload"
    send = Base.heartbeat

    def interrupted(self):
        signal.raise_signal(signal.SIGTERM)
        send(self)

    monkeypatch.setattr(Base, "heartbeat", interrupted)
    with pytest.raises(SystemExit):
        executor.heartbeat()
    assert executor.sent == ["one"]


def test_one_that_hangs_ends_at_once(executor, monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: executor._last + 31)
    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGTERM)


def test_a_heartbeat_alone_ends_nothing(executor):
    executor.heartbeat()
    assert executor.sent == []
