"""Which messages a worker drops, and what it does for its tasks. Celery and Airflow themselves are not there: that
they call this is shown by the scenario brokers and benchmarks/throughput.py."""

from __future__ import annotations

import base64
import importlib.util
import json
import logging
import selectors
import socket
import subprocess
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


class Process:
    """As much of psutil's as a supervisor uses."""

    def __init__(self, child):
        self.child = child

    def wait(self, timeout):
        return self.child.wait(timeout)


class Watched:
    """Airflow's supervisor of a process, as far as it waits."""

    def __init__(self, script):
        self.selector = selectors.DefaultSelector()
        mine, theirs = socket.socketpair()
        self.child = subprocess.Popen(
            [sys.executable, "-S", "-c", script], pass_fds=[theirs.fileno()], env={"FD": str(theirs.fileno())}
        )
        theirs.close()
        self.selector.register(mine, selectors.EVENT_READ)
        self._process, self._exit_code, self._open_sockets = Process(self.child), None, {mine: "requests"}

    def _service_subprocess(self, max_wait_time):
        for key, _ in self.selector.select(timeout=max(0.01, max_wait_time)):
            if not key.fileobj.recv(100):
                self.selector.unregister(key.fileobj)
                del self._open_sockets[key.fileobj]
                key.fileobj.close()
        try:
            self._exit_code = self._process.wait(0)
        except subprocess.TimeoutExpired:
            self._exit_code = None
        return self._exit_code


def seconds_until_noticed(watched, interval=30):
    began = time.monotonic()
    looks = 0
    while watched._service_subprocess(interval) is None:
        looks += 1
        assert looks < 5
    return time.monotonic() - began


# Closes what it writes to, and ends a second later.
SLOW_END = "import os, time; os.close(int(os.environ['FD'])); time.sleep(1); os._exit(3)"


def test_a_supervisor_notices_at_once_that_a_process_has_ended(worker):
    class Patched(Watched):
        pass

    worker.notice_ends(SimpleNamespace(WatchedSubprocess=Patched))
    watched = Patched(SLOW_END)
    assert seconds_until_noticed(watched) < 20
    assert watched._exit_code == 3


def test_without_it_a_supervisor_waits_for_its_next_heartbeat():
    assert seconds_until_noticed(Watched(SLOW_END), interval=3) > 3


def test_a_process_that_goes_on_without_its_sockets_leaves_time_for_heartbeats(worker):
    class Patched(Watched):
        pass

    worker.notice_ends(SimpleNamespace(WatchedSubprocess=Patched))
    watched = Patched("import os, time; os.close(int(os.environ['FD'])); time.sleep(60)")
    try:
        watched._service_subprocess(20)
        began = time.monotonic()
        assert watched._service_subprocess(0.5) is None
        assert 0.5 <= time.monotonic() - began < 20
    finally:
        watched.child.kill()
        watched.child.wait()


def test_a_process_that_others_reaped_is_not_asked_for_in_a_loop(worker):
    """psutil then knows no exit code, which Airflow asks for again and again."""

    class Patched(Watched):
        pass

    worker.notice_ends(SimpleNamespace(WatchedSubprocess=Patched))
    watched = Patched("import os; os._exit(0)")
    watched._service_subprocess(20)
    watched._open_sockets.clear()
    watched._exit_code = None
    watched._process = SimpleNamespace(wait=lambda timeout: None)
    began = time.monotonic()
    watched._service_subprocess(0.5)
    assert time.monotonic() - began >= 0.5
    watched.child.wait()


def test_another_supervisor_is_left_as_it_is(worker):
    worker.notice_ends(SimpleNamespace())
    worker.notice_ends(SimpleNamespace(WatchedSubprocess=SimpleNamespace()))


def test_what_tasks_import_is_loaded_once(worker, monkeypatch, tmp_path):
    package = tmp_path / "airflow"
    (package / "sdk").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "sdk/__init__.py").write_text(
        "import sys\n__all__ = ['one', 'broken']\n"
        "def __getattr__(name):\n    assert name != 'broken'\n    sys.loaded_names.append(name)\n"
    )
    (package / "version.py").write_text("")
    monkeypatch.setattr(sys, "loaded_names", [], raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "airflow"]:
        monkeypatch.delitem(sys.modules, name)
    try:
        worker.preload()
        assert "airflow.version" in sys.modules
        assert sys.loaded_names == ["one"]
    finally:
        worker.gc.unfreeze()
        for name in [name for name in sys.modules if name.partition(".")[0] == "airflow"]:
            del sys.modules[name]


def test_airflow_2_has_nothing_to_load(worker, monkeypatch):
    monkeypatch.setattr(worker, "is_there", lambda _name: False)
    worker.preload()


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
