"""Logs: what is removed, and what stays."""

from __future__ import annotations

import subprocess

from cluster_access import wait_until
from outside import run_in

CORE, WORKER = "fd-custom-core", "fd-custom-worker1"
LOGS = "/var/log/airflow"


def old_log(container: str, name: str, days: int, size: str = "1M") -> str:
    """A log that changed so many days ago."""
    path = f"{LOGS}/{name}"
    run_in(container, "install", "-d", "-o", "airflow", "-g", "airflow", path.rpartition("/")[0])
    run_in(container, "sh", "-c", f"head -c {size} /dev/zero > '{path}' && touch -d '{days} days ago' '{path}'")
    return path


def exists(container: str, path: str) -> bool:
    return subprocess.run(["docker", "exec", container, "test", "-e", path], check=False).returncode == 0


def test_old_logs_go_and_what_runs_keeps_its_own():
    old = old_log(WORKER, "dag_id=old/run_id=a/task_id=b/attempt=1.log", 31)
    young = old_log(WORKER, "dag_id=old/run_id=a/task_id=c/attempt=1.log", 29)
    held = old_log(WORKER, "dag_id=old/run_id=a/task_id=d/attempt=1.log", 31)
    # As another account, in namespaces of its own, as services are.
    hold = ["systemd-run", "--unit=holder", "-p", "User=airflow", "-p", "PrivateTmp=yes", "tail", "-f", held]
    run_in(WORKER, *hold)
    try:
        run_in(WORKER, "systemctl", "start", "flightdeck-logs")
        assert [exists(WORKER, path) for path in (old, young, held)] == [False, True, True]
        said = run_in(WORKER, "journalctl", "--unit=flightdeck-logs", "--output=cat")
        assert f"{LOGS}: removed 1 files, 1 MiB" in said
    finally:
        run_in(WORKER, "systemctl", "stop", "holder")
    for container in (CORE, WORKER):
        assert run_in(container, "systemctl", "is-active", "flightdeck-logs.timer") == "active\n"


def test_all_logs_are_where_old_ones_are_removed():
    wait_until("DAG files are parsed", lambda: exists(CORE, f"{LOGS}/dag_processor"), 60)
    assert not exists(CORE, "/var/lib/airflow/logs")
    assert not exists(WORKER, "/var/lib/airflow/logs")
