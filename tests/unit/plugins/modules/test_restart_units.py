"""Which units a restart concerns: those whose process is not the one that their file describes."""

from __future__ import annotations

import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _systemd
from ansible_collections.flightdeck.airflow.plugins.modules import restart_units


@pytest.fixture
def units(tmp_path, monkeypatch):
    monkeypatch.setattr(_systemd, "UNIT_DIR", str(tmp_path))
    for name in ("airflow-scheduler.service", "airflow-worker@default.service", "airflow-worker@gpu.service", "airflow-watchdog@.service"):
        (tmp_path / name).write_text("[Service]\nEnvironment=FLIGHTDECK_DIGEST=new\n")
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["airflow-worker@*.service"], ["airflow-worker@default.service", "airflow-worker@gpu.service"]),
        (["airflow-scheduler.service"], ["airflow-scheduler.service"]),
        (["airflow-*"], ["airflow-scheduler.service", "airflow-worker@default.service", "airflow-worker@gpu.service"]),
        (["airflow-triggerer.service"], []),
        ([], []),
    ],
)
@pytest.mark.usefixtures("units")
def test_patterns_name_units_but_no_templates(patterns, names):
    assert restart_units.unit_names(patterns) == names


def shown(**units):
    """A module whose systemd shows the state and the process of each unit."""
    blocks = [f"Id=airflow-{name}.service\nActiveState={state}\nMainPID={pid}\n" for name, (state, pid) in units.items()]
    return SimpleNamespace(run_command=lambda _command: (0, "\n".join(blocks), "")), [f"airflow-{name}.service" for name in units]


@pytest.mark.usefixtures("units")
def test_a_unit_without_a_process_and_one_with_other_settings_are_stale():
    # This process is the scheduler's and carries no digest; the others have none and were not stopped.
    of_units = restart_units.units_in_use(*shown(scheduler=("active", os.getpid()), triggerer=("activating", 0), worker=("failed", 0)))
    assert restart_units.stale_units(of_units) == ["airflow-scheduler.service", "airflow-triggerer.service", "airflow-worker.service"]


@pytest.mark.usefixtures("units")
def test_a_unit_that_somebody_stopped_is_neither_restarted_nor_waited_for():
    # As when scheduling pauses, and a webserver of the same host restarts.
    in_use = restart_units.units_in_use(*shown(**{"api-server": ("active", os.getpid()), "scheduler": ("inactive", 0)}))
    assert list(in_use) == ["airflow-api-server.service"]


@pytest.mark.usefixtures("units")
def test_a_worker_that_drains_may_be_left_alone():
    of_units = shown(worker=("deactivating", os.getpid()), triggerer=("activating", 0))
    assert list(restart_units.units_in_use(*of_units)) == ["airflow-worker.service", "airflow-triggerer.service"]
    assert list(restart_units.units_in_use(*of_units, "deactivating")) == ["airflow-triggerer.service"]


def test_a_process_with_the_settings_of_its_file_is_left_alone(units):
    (units / "airflow-scheduler.service").write_text("[Service]\n")
    assert restart_units.stale_units(restart_units.units_in_use(*shown(scheduler=("active", os.getpid())))) == []


@pytest.mark.parametrize(("status", "sent"), [(200, True), (503, False), (404, True)])
def test_a_load_balancer_says_whether_it_sends_requests(status, sent):
    class Balancer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments):
            """Nothing: the answer is all."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Balancer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert restart_units.sent_to(f"http://127.0.0.1:{server.server_port}/up/master1") is sent
        server.shutdown()


def test_a_load_balancer_that_does_not_answer_is_not_waited_for():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert restart_units.sent_to(f"http://127.0.0.1:{nobody.getsockname()[1]}/up/master1")
