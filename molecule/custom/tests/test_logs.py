"""Logs: what is removed, what stays, a full disk, an object store. Mail, time zones, secrets backends."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator

import boto3
from changes import change
from cluster_access import wait_until
from dag_runs import DagRuns
from outside import run_in
from tasks import DAG, in_task

CORE, WORKER = "fd-custom-core", "fd-custom-worker1"
LOGS = "/var/log/airflow"
OUTSIDE = "fd-custom-outside"
# What docs/secrets-backends.md has the scenario deploy: a connection that workers find, and one that webservers do.
SHOP, BANK = "shop-lkj23LKJ2lkj", "bank-kj2h3KJH2kj3h"


def old_log(container: str, name: str, days: int, size: str = "1M") -> str:
    """A log that changed so many days ago."""
    path = f"{LOGS}/{name}"
    run_in(container, "install", "-d", "-o", "airflow", "-g", "airflow", path.rpartition("/")[0])
    run_in(container, "sh", "-c", f"head -c {size} /dev/zero > '{path}' && touch -d '{days} days ago' '{path}'")
    return path


def exists(container: str, path: str) -> bool:
    return subprocess.run(["docker", "exec", container, "test", "-e", path], check=False).returncode == 0


@contextlib.contextmanager
def small_disk(container: str) -> Iterator[None]:
    """A file system of 40 MB for the logs."""
    owner = "size=40M,mode=0750,uid=airflow,gid=airflow"
    run_in(container, "mount", "-t", "tmpfs", "-o", owner, "logs", LOGS)
    try:
        yield
    finally:
        run_in(container, "umount", "--lazy", LOGS)


def test_old_logs_go_and_what_runs_keeps_its_own():
    old = old_log(WORKER, "dag_id=old/run_id=a/task_id=b/attempt=1.log", 31)
    young = old_log(WORKER, "dag_id=old/run_id=a/task_id=c/attempt=1.log", 29)
    held = old_log(WORKER, "dag_id=old/run_id=a/task_id=d/attempt=1.log", 31)
    # As another account, in namespaces of its own, as services are.
    hold = ["systemd-run", "--unit=holder", "-p", "User=airflow", "-p", "PrivateTmp=yes", "tail", "-f", held]
    run_in(WORKER, *hold)
    try:
        opened = "runuser -u airflow -- readlink /proc/$(systemctl show --property=MainPID --value holder)/fd/3 || :"
        wait_until("it has its log open", lambda: held in run_in(WORKER, "sh", "-c", opened), 10)
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


def moto(service: str):
    """A client of the object store or the secrets manager outside."""
    return boto3.client(
        service,
        endpoint_url="http://172.31.94.99:5000",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )


def stored() -> list[str]:
    """The names of the logs in the object store."""
    return [each["Key"] for each in moto("s3").list_objects_v2(Bucket="airflow-logs").get("Contents", [])]


def test_a_log_that_its_worker_has_lost_is_in_the_object_store(cluster):
    before = set(stored())
    in_task(cluster, "print('seen from afar')\nreturn 1")
    # The worker writes it after the task has ended.
    wait_until("the log is stored", lambda: set(stored()) - before, 30)
    (name,) = set(stored()) - before
    assert name.startswith("prod/dag_id=custom_probe/")
    path = f"{LOGS}/{name.removeprefix('prod/')}"
    assert exists(WORKER, path)
    run_in(WORKER, "rm", path)
    run = name.split("/")[2].removeprefix("run_id=")
    log = DagRuns(cluster, DAG).log(run, "probe")
    assert "seen from afar" in log
    assert f"s3://airflow-logs/{name}" in log
    for unit, host in (("airflow-scheduler", CORE), ("airflow-dag-processor", CORE)):
        pid = run_in(host, "systemctl", "show", "--property=MainPID", "--value", unit).strip()
        assert "FLIGHTDECK_LOGS" not in run_in(host, "cat", f"/proc/{pid}/environ")


def test_a_task_that_fails_sends_a_mail(cluster):
    DagRuns(cluster, "custom_mail").start()

    def mails() -> str:
        return run_in(OUTSIDE, "sh", "-c", "cat /srv/mail/* 2>/dev/null || :")

    wait_until("the mail is there", lambda: "custom_mail" in mails(), 60)
    assert "To: operators@example.com" in mails()
    assert "From: airflow@example.com" in mails()


def test_tasks_have_the_time_zones_of_the_inventory(cluster):
    asked = (
        "import time\nfrom airflow.sdk import timezone\n"
        "return [time.tzname[0], str(timezone.parse('2026-07-01T06:00:00'))]"
    )
    assert in_task(cluster, asked) == ["CET", "2026-07-01 06:00:00+02:00"]


def test_connections_come_from_secrets_backends(cluster):
    value = {"conn_type": "http", "host": "shop.example.com", "password": SHOP}
    with contextlib.suppress(moto("secretsmanager").exceptions.ResourceExistsException):
        moto("secretsmanager").create_secret(Name="airflow/connections/shop", SecretString=json.dumps(value))
    asked = (
        "from airflow.sdk import BaseHook\n"
        "return [len(BaseHook.get_connection(name).password) for name in ('shop', 'bank')]"
    )
    assert in_task(cluster, asked) == [len(SHOP), len(BANK)]
    assert not exists(WORKER, "/etc/airflow/secrets/connections.json")


def test_a_run_repairs_a_full_disk():
    with small_disk(WORKER):
        for number in range(4):
            old_log(WORKER, f"{number}.log", 20, "9M")
        changed = change("logs")
        run_in(WORKER, "airflow-health", "airflow-worker@default", "--wait", "60")
        assert not exists(WORKER, f"{LOGS}/0.log")
        # Those that write or read logs, because the credentials of the object store are others.
        assert changed.restarted == {
            "core/airflow-api-server",
            "core/airflow-triggerer",
            "worker1/airflow-worker@default",
        }
        with contextlib.suppress(RuntimeError):
            run_in(WORKER, "sh", "-c", f"cat /dev/zero > {LOGS}/full")
        assert (
            "logs need 16"
            in subprocess.run(
                ["docker", "exec", WORKER, "airflow-health", "airflow-worker@default"],
                capture_output=True,
                text=True,
                check=False,
            ).stdout
        )
    with small_disk(CORE):
        with contextlib.suppress(RuntimeError):
            run_in(CORE, "sh", "-c", f"cat /dev/zero > {LOGS}/full")
        for unit in ("airflow-dag-processor", "airflow-triggerer"):
            wait_until(f"{unit} says so", lambda unit=unit: "logs need 16" in said_of(unit), 30)
            assert run_in(CORE, "systemctl", "is-active", unit) == "active\n"


def said_of(unit: str) -> str:
    """What the health check of a service of core says."""
    done = subprocess.run(["docker", "exec", CORE, "airflow-health", unit], capture_output=True, text=True, check=False)
    return done.stdout
