"""Which units a restart concerns: those whose process is not the one that their file describes."""

from __future__ import annotations

import os
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


@pytest.mark.usefixtures("units")
def test_a_stopped_unit_and_one_with_other_settings_are_stale():
    # This process is the scheduler's and carries no digest; the worker has no process.
    answer = f"Id=airflow-scheduler.service\nMainPID={os.getpid()}\n\nId=airflow-worker@gpu.service\nMainPID=0\n"
    module = SimpleNamespace(run_command=lambda _command: (0, answer, ""))
    names = ["airflow-scheduler.service", "airflow-worker@gpu.service"]
    assert restart_units.stale_units(module, names) == names


def test_a_process_with_the_settings_of_its_file_is_left_alone(units):
    (units / "airflow-scheduler.service").write_text("[Service]\n")
    module = SimpleNamespace(run_command=lambda _command: (0, f"Id=airflow-scheduler.service\nMainPID={os.getpid()}\n", ""))
    assert restart_units.stale_units(module, ["airflow-scheduler.service"]) == []
