"""Alerts fire when they should and at no other time, by Prometheus's own tests of rules; each has a runbook."""

from __future__ import annotations

import re
import runpy
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "roles/monitoring/files/airflow.rules.yml"
ALERTS = {rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
UNIT = 'node_systemd_unit_state{instance="a", name="%s", state="%s"}'
READY = 'rabbitmq_queue_messages_ready{instance="b", queue="default", vhost="airflow"}'
CONSUMERS = 'rabbitmq_queue_consumers{instance="b", queue="default", vhost="airflow"}'
WORKER = UNIT % ("airflow-worker@default.service", "active")
SCHEDULER = UNIT % ("airflow-scheduler.service", "active")
HEARTBEAT = 'airflow_events_total{instance="a", metric="scheduler_heartbeat"}'
FAILURES = 'airflow_events_total{instance="a", metric="ti_failures", dag_id="x"}'
AVAILABLE = 'node_filesystem_avail_bytes{instance="a", fstype="ext4", mountpoint="/"}'
SIZE = 'node_filesystem_size_bytes{instance="a", fstype="ext4", mountpoint="/"}'
BACKUP = 'flightdeck_backup_end_timestamp_seconds{instance="a"}'
HOUR = 60
DAY = 24 * HOUR


def up(job, instance="a"):
    return f'up{{job="{job}", instance="{instance}"}}'


# By alert: values each minute when it fires, and the minute by which it does; then values with which it does not.
CASES: dict[str, tuple[dict[str, str], int, dict[str, str]]] = {
    "HostDown": ({up("node"): "1 1 0x9"}, 5, {up("node"): "1 0 1x9"}),
    "MetricsMissing": ({up("node"): "1x9", up("airflow"): "0x9"}, 6, {up("node"): "0x9", up("airflow"): "0x9"}),
    "OwnMetricsOld": (
        {'node_textfile_mtime_seconds{instance="a", file="x"}': "0x30"},
        14,
        {'node_textfile_mtime_seconds{instance="a", file="x"}': "0+60x30"},
    ),
    "DiskAlmostFull": ({AVAILABLE: "5x9", SIZE: "100x9"}, 6, {AVAILABLE: "20x9", SIZE: "100x9"}),
    "MemoryAlmostUsed": (
        {'node_memory_MemAvailable_bytes{instance="a"}': "4x9", 'node_memory_MemTotal_bytes{instance="a"}': "100x9"},
        6,
        {'node_memory_MemAvailable_bytes{instance="a"}': "6x9", 'node_memory_MemTotal_bytes{instance="a"}': "100x9"},
    ),
    "ClockDiffers": (
        {'node_time_seconds{instance="a"}': "10+60x9"},
        4,
        {'node_time_seconds{instance="a"}': "1+60x9"},
    ),
    "ClockNotSynchronised": (
        {'node_timex_sync_status{instance="a"}': "0x20", 'node_timex_maxerror_seconds{instance="a"}': "16x20"},
        12,
        {'node_timex_sync_status{instance="a"}': "1x20", 'node_timex_maxerror_seconds{instance="a"}': "0x20"},
    ),
    "CertificateEnds": (
        {'flightdeck_certificate_end_timestamp_seconds{instance="a", path="x"}': f"{13 * 86400}x9"},
        2,
        {'flightdeck_certificate_end_timestamp_seconds{instance="a", path="x"}': f"{15 * 86400}x9"},
    ),
    "DrainForgotten": (
        {'flightdeck_drained_since_timestamp_seconds{instance="a"}': "0x1500"},
        DAY + 3,
        {'flightdeck_drained_since_timestamp_seconds{instance="a"}': "0x1380"},
    ),
    "ServiceDown": (
        {UNIT % ("airflow-scheduler.service", "failed"): "1x9"},
        2,
        {UNIT % ("airflow-scheduler.service", "inactive"): "1x9", 'flightdeck_drained{instance="a"}': "1x9"},
    ),
    "ServiceRestarts": (
        {'node_systemd_service_restart_total{instance="a", name="x.service"}': "0 1 2 3 4 5 5x9"},
        8,
        {'node_systemd_service_restart_total{instance="a", name="x.service"}': "0 1x20"},
    ),
    "ServiceUnhealthy": (
        {'flightdeck_health_failed_checks{instance="a", unit="x"}': "3x9"},
        1,
        {'flightdeck_health_failed_checks{instance="a", unit="x"}': "2x9"},
    ),
    "WatchdogRestarts": (
        {'flightdeck_watchdog_restarts_total{instance="a", unit="x"}': "0 0 1x9"},
        5,
        {'flightdeck_watchdog_restarts_total{instance="a", unit="x"}': "1x9"},
    ),
    "JobFailed": (
        {UNIT % ("flightdeck-backup@full.service", "failed"): "1x9"},
        2,
        {UNIT % ("flightdeck-backup@full.service", "inactive"): "1x9"},
    ),
    "JournalNotSent": (
        {'node_systemd_service_restart_total{instance="a", name="flightdeck-journal-sender.service"}': "0+4x30"},
        18,
        # While the monitoring host was unavailable.
        {'node_systemd_service_restart_total{instance="a", name="flightdeck-journal-sender.service"}': "0x5 40x30"},
    ),
    "MetastoreDown": ({'pg_up{instance="a"}': "0x9"}, 2, {'pg_up{instance="a"}': "1x9"}),
    "MetastoreWithoutLeader": (
        {
            'patroni_master{instance="a", scope="x"}': "0x9",
            'patroni_master{instance="b", scope="x"}': "0x9",
            up("patroni"): "1x9",
        },
        2,
        {
            'patroni_primary{instance="a", scope="x"}': "0x9",
            'patroni_primary{instance="b", scope="x"}': "1x9",
            up("patroni"): "1x9",
        },
    ),
    "ReplicationLate": (
        {
            'patroni_xlog_location{instance="a"}': "1000000000x9",
            'patroni_xlog_replayed_location{instance="b"}': "800000000x9",
            'patroni_replica{instance="b"}': "1x9",
        },
        6,
        {
            'patroni_xlog_location{instance="a"}': "1000000000x9",
            'patroni_xlog_replayed_location{instance="b"}': "999999999x9",
            'patroni_replica{instance="b"}': "1x9",
        },
    ),
    "ConnectionsAlmostUsed": (
        {
            'pg_stat_activity_count{instance="a", state="active"}': "90x9",
            'pg_stat_activity_count{instance="a", state="idle"}': "100x9",
            'pg_settings_max_connections{instance="a"}': "200x9",
        },
        6,
        {
            'pg_stat_activity_count{instance="a", state="active"}': "90x9",
            'pg_settings_max_connections{instance="a"}': "200x9",
        },
    ),
    "EtcdDown": ({up("etcd"): "0x9"}, 2, {up("etcd"): "1x9"}),
    "EtcdWithoutLeader": (
        {'etcd_server_has_leader{instance="a"}': "0x9"},
        2,
        {'etcd_server_has_leader{instance="a"}': "1x9"},
    ),
    "BrokerDown": ({up("rabbitmq"): "0x9"}, 2, {up("rabbitmq"): "1x9"}),
    "RedisDown": ({'redis_up{instance="a"}': "0x9"}, 2, {'redis_up{instance="a"}': "1x9"}),
    "RedisMemoryAlmostUsed": (
        {'redis_memory_used_bytes{instance="a"}': "91x9", 'redis_memory_max_bytes{instance="a"}': "100x9"},
        6,
        {'redis_memory_used_bytes{instance="a"}': "91x9", 'redis_memory_max_bytes{instance="a"}': "0x9"},
    ),
    "BrokerWithoutQuorum": (
        {up("rabbitmq", "a"): "0x9", up("rabbitmq", "b"): "0x9", up("rabbitmq", "c"): "1x9"},
        2,
        {up("rabbitmq", "a"): "0x9", up("rabbitmq", "b"): "1x9", up("rabbitmq", "c"): "1x9"},
    ),
    "BrokerBlocked": (
        {'rabbitmq_alarms_free_disk_space_watermark{instance="a"}': "1x9"},
        2,
        {'rabbitmq_alarms_free_disk_space_watermark{instance="a"}': "0x9"},
    ),
    "QueueWithoutConsumers": ({READY: "1x9", CONSUMERS: "0x9"}, 2, {READY: "1x9", CONSUMERS: "1x9"}),
    "QueueGrows": ({READY: "100+10x90", CONSUMERS: "1x90"}, 75, {READY: "2000-10x90", CONSUMERS: "1x90"}),
    "WorkerDoesNotConsume": ({WORKER: "1x9", CONSUMERS: "0x9"}, 4, {WORKER: "1x9", CONSUMERS: "1x9"}),
    "LoadBalancerDown": ({up("haproxy"): "0x9"}, 2, {up("haproxy"): "1x9"}),
    "BackendDown": (
        {'haproxy_backend_active_servers{instance="a", proxy="web"}': "0x9"},
        2,
        {'haproxy_backend_active_servers{instance="a", proxy="web"}': "1x9"},
    ),
    "ApiServersBusy": (
        {'haproxy_backend_current_queue{instance="a", proxy="execution_api"}': "4x30"},
        12,
        # A burst is over soon.
        {'haproxy_backend_current_queue{instance="a", proxy="execution_api"}': "40x3 0x30"},
    ),
    "SchedulerSilent": ({HEARTBEAT: "5x9", SCHEDULER: "1x9"}, 5, {HEARTBEAT: "0+12x9", SCHEDULER: "1x9"}),
    "SchedulerLoopLate": (
        {'airflow_seconds{instance="a", metric="scheduler.scheduler_loop_duration", statistic="average"}': "31x9"},
        6,
        {'airflow_seconds{instance="a", metric="scheduler.scheduler_loop_duration", statistic="average"}': "1x9"},
    ),
    "DagImportErrors": (
        {'airflow_gauge{instance="a", metric="dag_processing.import_errors"}': "1x9"},
        2,
        {'airflow_gauge{instance="a", metric="dag_processing.import_errors"}': "0x9"},
    ),
    "DagParsingLate": (
        {'airflow_gauge{instance="a", metric="dag_processing.total_parse_time"}': "130x9"},
        6,
        {'airflow_gauge{instance="a", metric="dag_processing.total_parse_time"}': "130x3 40x6"},
    ),
    "DagsDiffer": (
        {'flightdeck_dags_info{instance="a", revision="1"}': "1x30", 'flightdeck_dags_info{revision="2"}': "1x30"},
        17,
        {'flightdeck_dags_info{instance="a", revision="1"}': "1x30", 'flightdeck_dags_info{revision="1"}': "1x30"},
    ),
    # One failure a minute all day is usual there; none is at first.
    "TasksFail": ({FAILURES: f"0x{DAY} 0+2x60"}, DAY + 40, {FAILURES: f"0+1x{DAY + HOUR}"}),
    "TasksLost": (
        {'airflow_events_total{instance="a", metric="task_instances_without_heartbeats_killed"}': "0 0 1x9"},
        5,
        {'airflow_events_total{instance="a", metric="task_instances_without_heartbeats_killed"}': "1x9"},
    ),
    "TasksStarve": (
        {'airflow_gauge{instance="a", metric="pool.starving_tasks", pool_name="p"}': "1x30"},
        17,
        {'airflow_gauge{instance="a", metric="pool.starving_tasks", pool_name="p"}': "0x30"},
    ),
    "BackupOld": (
        {BACKUP: "0x300", 'flightdeck_backup_max_age_seconds{instance="a"}': "3600x300"},
        70,
        {BACKUP: "0+60x300", 'flightdeck_backup_max_age_seconds{instance="a"}': "3600x300"},
    ),
    "BackupFailed": (
        {'flightdeck_backup_failed{instance="a"}': "1x30"},
        12,
        {'flightdeck_backup_failed{instance="a"}': "0x30"},
    ),
}


def case(series, minute, alert, count):
    fires = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})'
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": fires,
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": "{}", "value": count}] if count else [],
            }
        ],
    }


def test_every_alert_has_a_case():
    assert CASES.keys() == ALERTS.keys()


def test_alerts_fire_when_they_should_and_at_no_other_time(tmp_path):
    tests = []
    for alert, (bad, minute, good) in CASES.items():
        tests.append(case(bad, minute, alert, 1))
        tests.append(case(good, minute, alert, 0))
    (tmp_path / "tests.yml").write_text(
        yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests})
    )
    done = subprocess.run(
        ["promtool", "test", "rules", tmp_path / "tests.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_runbooks_are_at_the_address_of_the_documentation():
    assert runpy.run_path(str(ROOT / ".config/render_alerts.py"))["render"]() == RULES.read_text(), "run make docs"


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_a_runbook(alert):
    address = yaml.safe_load((ROOT / "galaxy.yml").read_text())["documentation"]
    assert ALERTS[alert]["annotations"]["runbook_url"] == f"{address}/monitoring.html#{alert.lower()}"
    assert alert in re.findall(r"^#+ (.+)$", (ROOT / "docs/monitoring.md").read_text(), re.MULTILINE)
    assert ALERTS[alert]["labels"]["severity"] in ("critical", "warning")
