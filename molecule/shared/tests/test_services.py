"""Every Airflow service does its work, survives being killed, and stops the way its tasks need."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils import _preflight, _secrets
from cluster_access import wait_until
from test_secrets import NEEDED_3, authorities

SECRETS = Path(_secrets.SECRETS_DIR)
UNITS = {
    "scheduler": "airflow-scheduler",
    "dag_processor": "airflow-dag-processor",
    "triggerer": "airflow-triggerer",
}


def units_of(cluster, name, only=None):
    node = cluster.model["nodes"][name]
    web = "airflow-api-server" if cluster.model["version"]["major"] >= 3 else "airflow-webserver"
    units = []
    for component in node["components"]:
        if only and component != only:
            continue
        if component == "worker":
            units += [f"airflow-worker@{queue['name']}" for queue in node["airflow"]["queues"]]
        else:
            units.append(web if component == "webserver" else UNITS[component])
    return units


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

    Airflow's DAG processors do not roll back there (apache/airflow#68263); systemd starts the loser again, which finds the DAG written.
    """
    if unit != UNITS["dag_processor"]:
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


def test_a_running_process_carries_the_digest_of_its_unit(cluster, host_named):
    for name in cluster.model["airflow_hosts"]:
        host = host_named(name)
        for unit in units_of(cluster, name):
            pid = properties(host, unit, "MainPID")["MainPID"]
            running = host.check_output("tr '\\0' '\\n' < /proc/%s/environ | grep ^FLIGHTDECK_DIGEST=", pid)
            assert f"Environment={running}" in host.file(f"/etc/systemd/system/{unit}.service").content_string


@pytest.mark.group("scheduler")
def test_a_killed_scheduler_comes_back(member, host_named):
    host = host_named(member)
    before = properties(host, "airflow-scheduler", "MainPID")["MainPID"]
    host.check_output("systemctl kill --signal=KILL airflow-scheduler.service")
    wait_until("systemd starts it again", lambda: properties(host, "airflow-scheduler", "MainPID")["MainPID"] not in ("0", before), 30)
    wait_until("it is healthy", lambda: host.run("airflow-health airflow-scheduler").rc == 0, 120, every=2)


# systemd's own measure of what a service could do, at most, in tenths; 100 is a service without any protection.
EXPOSURE = {"webserver": 14, "scheduler": 14, "dag_processor": 16, "triggerer": 16, "worker": 48}


def test_services_are_shut_in(cluster, host_named):
    for name in cluster.model["airflow_hosts"]:
        host = host_named(name)
        for component in cluster.model["nodes"][name]["components"]:
            for unit in units_of(cluster, name, component):
                measured = host.run("systemd-analyze security --no-pager --threshold=%s %s.service", str(EXPOSURE[component]), unit)
                assert measured.rc == 0, measured.stdout[-200:]


def test_the_walls_are_real(cluster, host_named):
    """In the mounts that the processes see: systemd leaves out silently what it cannot do in a container."""
    for name in cluster.model["airflow_hosts"]:
        host = host_named(name)
        for component in cluster.model["nodes"][name]["components"]:
            for unit in units_of(cluster, name, component):
                pid = properties(host, unit, "MainPID")["MainPID"]
                status = host.check_output("cat /proc/%s/status", pid)
                for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"):
                    assert line in status, unit
                seen = host.check_output("cat /proc/%s/mountinfo", pid)
                # Source and options of what is mounted on top at each place.
                mounts = {fields[4]: (fields[3], fields[5].split(",")) for fields in map(str.split, seen.splitlines())}
                assert "systemd-private" in mounts["/tmp"][0], unit
                if component == "worker":
                    assert "ro" in mounts["/usr"][1], unit
                else:
                    assert "ro" in mounts["/"][1], unit
                    assert "rw" in mounts["/var/lib/airflow"][1], unit
                    assert "inaccessible" in mounts["/root"][0], unit


def test_a_service_sees_its_own_secrets_only(cluster, host_named):
    modern, tls = cluster.model["version"]["major"] >= 3, cluster.model["tls"]["enabled"]
    for name in cluster.model["airflow_hosts"] if modern else []:
        for component in cluster.model["nodes"][name]["components"]:
            needed = NEEDED_3[component] | authorities(cluster)
            # A certificate is no secret.
            needed |= {"server.crt"} if tls and "webserver" in cluster.model["nodes"][name]["components"] else set()
            needed |= {"server.key"} if tls and component == "webserver" else set()
            if component == "scheduler" and "turns" in cluster.model["nodes"][name]:
                # Its own logins stand in the place of the common ones.
                needed = {secret for secret in needed if not secret.startswith("sql_")} | {"scheduler_lease", "scheduler_failover"}
            for unit in units_of(cluster, name, component):
                pid = properties(host_named(name), unit, "MainPID")["MainPID"]
                mounts = map(str.split, host_named(name).check_output("cat /proc/%s/mountinfo", pid).splitlines())
                # What is mounted there as itself; the others are an empty file.
                seen = {fields[4] for fields in mounts if fields[4] == fields[3]}
                assert {path.name for path in map(Path, seen) if path.parent == SECRETS} == needed
                # Nor by way of another process of the same account.
                looking = host_named(name).run("setpriv --reuid=airflow --regid=airflow --clear-groups ls /proc/%s/root/", pid)
                assert ("Permission denied" in looking.stderr) == (component != "worker"), unit


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
        assert release["heads"]["alembic_version"] == _preflight.HEADS[release["version"]]
        listed = json.loads(host.check_output("cat /opt/airflow/current/sbom.cdx.json"))["components"]
        assert {item["name"]: item["version"] for item in listed}["apache-airflow"] == release["version"]
        assert host.check_output("stat -c %U /opt/airflow/current/bin/python3 /opt/airflow/current/").split() == ["root", "root"]
        assert host.run("find /opt/airflow/current/lib -name '*.pyc' | grep -q airflow").rc == 0
