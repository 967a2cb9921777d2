"""What a host says of itself besides what exporters know."""

from __future__ import annotations

import datetime
import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _certificate
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import certificates

ROOT = Path(__file__).parents[4]


def program(role, name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"roles/{role}/files/{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


metrics = program("metrics", "flightdeck_metrics")
web_login = program("monitoring", "flightdeck_web_login")


def samples(found):
    return {(sample.name, *sample.labels.values()): sample.value for sample in found}


@pytest.fixture(autouse=True)
def reader(monkeypatch):
    """The module that reads certificates, where the role puts it."""
    monkeypatch.setitem(sys.modules, "certificate", _certificate)


def test_the_end_of_each_certificate_and_what_cannot_be_read(tmp_path):
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    pair = certificates.issue(certificates.make_ca("x", now), "a", ["a"], now, days=10)
    (tmp_path / "a.crt").write_text(pair["certificate"])
    (tmp_path / "b.crt").write_text("nothing")
    found = samples(metrics.certificates((f"{tmp_path}/*.crt",)))
    name = "certificate_end_timestamp_seconds"
    assert found == {
        (name, f"{tmp_path}/a.crt"): (now + datetime.timedelta(days=10)).timestamp(),
        (name, f"{tmp_path}/b.crt"): 0,
    }


def test_a_drained_host_says_since_when(tmp_path):
    mark = tmp_path / "drained"
    assert samples(metrics.drained(mark)) == {("drained",): 0}
    mark.touch()
    os.utime(mark, (1000, 1000))
    assert samples(metrics.drained(mark)) == {("drained",): 1, ("drained_since_timestamp_seconds",): 1000}


def test_the_revision_of_the_dags(tmp_path):
    (tmp_path / "current").symlink_to("revisions/4711")
    assert samples(metrics.dags(f"{tmp_path}/current")) == {("dags_info", "4711"): 1}
    assert samples(metrics.dags(f"{tmp_path}/none")) == {}


def test_what_the_watchdog_found(tmp_path):
    (tmp_path / "airflow-scheduler").write_text(json.dumps({"failed": 2, "restarts": 3}))
    # Of a version that did not count.
    (tmp_path / "airflow-worker@default").write_text(json.dumps({"failed": 0}))
    (tmp_path / "airflow-triggerer").write_text("")
    found = samples(metrics.health(tmp_path))
    assert found["health_failed_checks", "airflow-scheduler"] == 2
    assert found["watchdog_restarts_total", "airflow-scheduler"] == 3
    assert found["watchdog_restarts_total", "airflow-worker@default"] == 0
    assert not [key for key in found if "airflow-triggerer" in key]


def test_when_backups_ended():
    answer = [{"backup": [{"timestamp": {"start": 1, "stop": 2}}, {"timestamp": {"start": 3, "stop": 4}}]}]
    assert metrics.backup_ends(answer) == [2, 4]
    # What a restore was about to replace.
    answer[0]["backup"].append({"type": "replaced", "timestamp": {"start": 5, "stop": 6}})
    assert metrics.backup_ends(answer) == [2, 4]
    assert metrics.backup_ends([{"backup": []}]) == []
    with pytest.raises(LookupError):
        metrics.backup_ends([])


def test_the_text_is_prometheus_own():
    found = [
        metrics.Sample("drained", 0),
        metrics.Sample("watchdog_restarts_total", 2, {"unit": 'a"\\\n'}),
        metrics.Sample("drained_since_timestamp_seconds", 1700000000.5),
    ]
    assert metrics.text(iter(found)).splitlines() == [
        "# HELP flightdeck_drained Whether the host is drained.",
        "# TYPE flightdeck_drained gauge",
        "flightdeck_drained 0",
        "# HELP flightdeck_watchdog_restarts_total Restarts by the watchdog since the host started.",
        "# TYPE flightdeck_watchdog_restarts_total counter",
        'flightdeck_watchdog_restarts_total{unit="a\\"\\\\\\n"} 2',
        "# HELP flightdeck_drained_since_timestamp_seconds Since when the host is drained.",
        "# TYPE flightdeck_drained_since_timestamp_seconds gauge",
        "flightdeck_drained_since_timestamp_seconds 1700000000.5",
    ]


def test_the_login_is_a_hash_with_another_salt_each_time():
    login = {"user": "operator", "password": "ü'\"$x 1234567890", "tls_dir": "/tls"}
    first, second = (web_login.web_config(login)["basic_auth_users"]["operator"] for _each in range(2))
    assert first != second
    assert first.startswith("$2b$10$")
    assert web_login.web_config(login)["tls_server_config"]["cert_file"] == "/tls/server.crt"
    assert "tls_server_config" not in web_login.web_config({**login, "tls_dir": ""})
