"""Every Airflow service does its work, survives being killed, and stops the way its tasks need."""

from __future__ import annotations

import json

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import versions
from cluster_access import wait_until


def units_of(cluster, name, only=None):
    units = cluster.model["nodes"][name].get("airflow", {}).get("units", [])
    return [unit["unit"] for unit in units if not only or unit["label"].split()[0] == only]


def properties(host, unit, *names):
    shown = host.check_output("systemctl show --property=%s %s.service", ",".join(names), unit)
    return dict(line.split("=", 1) for line in shown.splitlines())


def test_every_service_is_healthy_and_starts_at_boot(cluster, host_named):
    for name in cluster.model["airflow_hosts"]:
        host = host_named(name)
        for unit in units_of(cluster, name):
            health = host.run("airflow-health %s", unit)
            assert health.rc == 0, f"{name}: {health.stdout}"
            assert host.service(f"{unit}.service").is_enabled


def lost_races(host, unit):
    """How often the service ended because another DAG processor wrote the same new DAG at the same moment.

    Airflow's DAG processors do not roll back there (apache/airflow#68263); systemd starts the loser again, which finds
    the DAG written.
    """
    if unit != "airflow-dag-processor":
        return 0
    # An error has several such lines, and a service ends once.
    found = host.run(
        "journalctl --unit=%s.service --grep='duplicate key value violates unique constraint'"
        " --output=json --output-fields=_SYSTEMD_INVOCATION_ID --quiet --no-pager",
        unit,
    )
    return len({json.loads(line)["_SYSTEMD_INVOCATION_ID"] for line in found.stdout.splitlines()})


def test_no_service_was_restarted_by_itself(cluster, host_named):
    for name in cluster.model["airflow_hosts"]:
        for unit in units_of(cluster, name):
            restarts = int(properties(host_named(name), unit, "NRestarts")["NRestarts"])
            assert restarts == 0 or restarts <= lost_races(host_named(name), unit), f"{unit} on {name}: {restarts}"


@pytest.mark.group("worker")
def test_a_worker_drains_and_outlives_a_greedy_task(member, cluster, host_named):
    for unit in units_of(cluster, member):
        if not unit.startswith("airflow-worker@"):
            continue
        found = properties(host_named(member), unit, "KillMode", "Restart", "OOMPolicy", "TimeoutStopUSec")
        drain = f"{cluster.model['drain_timeout_seconds'] // 60}min"
        assert found == {"KillMode": "mixed", "Restart": "always", "OOMPolicy": "continue", "TimeoutStopUSec": drain}


def test_every_process_runs_with_the_settings_on_disk(cluster, host_named):
    """What systemd recorded when a process was started, or reloaded, is what the last run has written.

    So for services of packages.
    """
    units = set()
    for name in cluster.model["nodes"]:
        host = host_named(name)
        kept = host.check_output("cd /etc/systemd/system && sha256sum *.d/restart.digest *.d/reload.digest").replace(
            ".d/", "/"
        )
        recorded = host.check_output("cd /run/flightdeck && sha256sum */restart.digest */reload.digest")
        assert recorded == kept, name
        units |= {line.split()[1].split("/")[0] for line in kept.splitlines()}
    assert {"haproxy.service", "airflow-scheduler.service"} < units


@pytest.mark.group("scheduler")
def test_a_killed_scheduler_comes_back(member, host_named):
    host = host_named(member)
    before = properties(host, "airflow-scheduler", "MainPID")["MainPID"]
    host.check_output("systemctl kill --signal=KILL airflow-scheduler.service")
    wait_until(
        "systemd starts it again",
        lambda: properties(host, "airflow-scheduler", "MainPID")["MainPID"] not in ("0", before),
        30,
    )
    wait_until("it is healthy", lambda: host.run("airflow-health airflow-scheduler").rc == 0, 120, every=2)


def test_the_operators_command_runs_as_the_service_account(cluster, host_named):
    host = host_named(cluster.model["database_host"])
    version = host.check_output("airflow version")
    assert cluster.model["version"]["full"] in version
    checked = host.run("airflow db check")
    assert checked.rc == 0, checked.stderr


def test_releases_are_compiled_and_rooted(cluster, host_named):
    for name in cluster.model["airflow_hosts"]:
        host = host_named(name)
        release = json.loads(host.check_output("cat /opt/airflow/current/release.json"))
        assert release["version"] == cluster.model["version"]["full"]
        assert release["heads"]["alembic_version"] == versions.VERSIONS[release["version"]].schema
        listed = json.loads(host.check_output("cat /opt/airflow/current/sbom.cdx.json"))["components"]
        assert {item["name"]: item["version"] for item in listed}["apache-airflow"] == release["version"]
        assert host.check_output("stat -c %U /opt/airflow/current/bin/python3 /opt/airflow/current/").split() == [
            "root",
            "root",
        ]
        assert host.run("find /opt/airflow/current/lib -name '*.pyc' | grep -q airflow").rc == 0
