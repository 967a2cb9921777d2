"""What an operator does between deployments: status, removal of old rows, the support bundle, the plan."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from cluster_access import BUSY, ansible, inventory, recap

ROOT = Path(__file__).parents[3]
# Rows that are too old, and one that is not.
OLD = "now() - interval '200 days'"
SEED = f"""
INSERT INTO log (dttm, event) SELECT {OLD}, 'flightdeck_old' FROM generate_series(1, 12000);
INSERT INTO log (dttm, event) VALUES (now(), 'flightdeck_new');
"""
SEED_RESULTS = f"""
INSERT INTO celery_taskmeta (id, task_id, status, date_done)
SELECT nextval('task_id_sequence'), 'old-' || gen_random_uuid(), 'SUCCESS', {OLD}
FROM generate_series(1, 11000);
INSERT INTO celery_taskmeta (id, task_id, status, date_done)
VALUES (nextval('task_id_sequence'), 'new-' || gen_random_uuid(), 'SUCCESS', now() AT TIME ZONE 'UTC');
"""


def play(name, *arguments):
    return ansible(str(ROOT / "playbooks" / name), *arguments, program="ansible-playbook", timeout=600)


def rows(host, query, database="airflow"):
    return host.check_output(
        "psql --host=/var/run/postgresql --username=postgres --no-psqlrc --no-align --tuples-only "
        "--set=ON_ERROR_STOP=1 --dbname=%s --command=%s",
        database,
        query,
    )


def old(host):
    return rows(host, "SELECT count(*) FROM log WHERE event = 'flightdeck_old'")


def test_the_status_as_json(tmp_path):
    play("status.yml", "-e", f"airflow_status_file={tmp_path}/status.json")
    said = json.loads((tmp_path / "status.json").read_text())
    assert said["good"]
    found = {row["component"]: row.get("data", {}) for row in said["rows"]}
    assert {found[f"queue {queue}"]["consumers"] for queue in ("default", "heavy")} == {1}
    assert found["certificate"]["days_left"] > 300
    assert found["host"]["Airflow"] == said["airflow_version"]
    assert found["dags"]["revision"]


def test_standard_output_is_json_and_nothing_else():
    said = subprocess.run(
        ["ansible-playbook", "-i", inventory(), ROOT / "playbooks/status.yml", "-e", "airflow_status_format=json"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=BUSY * 300,
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "community.general.null"},
    )
    assert json.loads(said.stdout)["good"]


def test_old_rows_are_counted_in_check_mode_and_removed_on_demand(host_named):
    host = host_named("node1")
    rows(host, SEED)
    said = play("db_clean.yml", "--check")
    assert "Found 12000 rows meeting deletion criteria" in said
    assert old(host) == "12000"
    with pytest.raises(RuntimeError, match="FD320"):
        play("db_clean.yml")
    play("db_clean.yml", "-e", "airflow_confirm=airflow")
    assert old(host) == "0"
    assert rows(host, "SELECT count(*) > 0 FROM log WHERE event = 'flightdeck_new'") == "t"
    assert rows(host, "SELECT count(*) FROM pg_tables WHERE tablename LIKE '\\_airflow\\_deleted%'") == "0"


def test_old_rows_are_removed_by_the_timer_as_the_account_that_owns_no_table(host_named):
    host = host_named("node1")
    assert host.service("flightdeck-db-clean.timer").is_running
    rows(host, SEED)
    rows(host, SEED_RESULTS, "airflow_results")
    rows(host, "DROP TABLE IF EXISTS airflow_clean.flightdeck_runs")
    host.check_output("systemctl start flightdeck-db-clean.service")
    assert old(host) == "0"
    assert rows(host, "SELECT count(*) > 0 FROM log WHERE event = 'flightdeck_new'") == "t"
    assert rows(host, "SELECT count(*) FROM celery_taskmeta WHERE task_id LIKE 'old-%'", "airflow_results") == "0"
    assert rows(host, "SELECT count(*) FROM celery_taskmeta WHERE task_id LIKE 'new-%'", "airflow_results") != "0"
    assert rows(host, "SELECT count(*) FROM pg_tables WHERE tablename LIKE '\\_airflow\\_deleted%'") == "0"
    assert rows(host, "SELECT host FROM airflow_clean.flightdeck_runs") == "node1"
    # Another host, or the same one again, finds that it is done.
    host.check_output("systemctl start flightdeck-db-clean.service")
    journal = host.check_output("journalctl --unit=flightdeck-db-clean --output=cat --lines=20")
    assert "node1 has removed old rows already" in journal


def secret_values(cluster):
    """Every secret of the cluster: as it is, as it stands in a URL, and the lines of each private key."""
    values = {value for value in cluster.secrets.values() if isinstance(value, str)}
    kept = yaml.safe_load(Path(cluster.ca_file).with_name(".airflow_certificates.yml").read_text())
    for pair in (kept["ca"], *kept["hosts"].values()):
        values |= {line for line in pair["key"].splitlines() if len(line) > 16 and "PRIVATE KEY" not in line}
    return {spelling for value in values for spelling in (value, quote(value, safe="")) if len(spelling) >= 8}


def test_a_support_bundle_has_what_explains_a_host_and_no_secret(cluster, host_named, tmp_path):
    values = secret_values(cluster)
    host = host_named("node1")
    # What a careless program writes.
    careless = cluster.secrets["broker_password"]
    host.run("systemd-cat --identifier=careless echo %s", f"broker password is {careless}")
    host.run("systemd-run --wait --unit=airflow-careless.service echo %s", f"broker password is {careless}")
    archive = tmp_path / "bundle.tar.gz"
    said = play("support_bundle.yml", "-e", f"airflow_support_file={archive}", "-e", "airflow_support_hours=2")
    assert str(archive) in said
    assert archive.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [archive]
    with tarfile.open(archive) as bundle:
        texts = {
            member.name.partition("/")[2]: bundle.extractfile(member).read().decode("utf-8", "replace")
            for member in bundle.getmembers()
            if member.isfile()
        }
    assert {
        "hosts.txt",
        "status.json",
        "node1/commands/units.txt",
        "node1/files/etc/airflow/airflow.cfg",
        "node1/files/etc/haproxy/haproxy.cfg",
        "node1/files/etc/systemd/system/airflow-scheduler.service",
        "node1/journals/airflow.log",
        "node1/journals/rabbitmq.log",
    } <= set(texts)
    assert "[celery]" in texts["node1/files/etc/airflow/airflow.cfg"]
    assert "broker password is <hidden:" in texts["node1/journals/airflow.log"]
    found = {(name, value) for name, text in texts.items() for value in values if value in text}
    assert sorted(name for name, _value in found) == []
    host.run("systemctl reset-failed airflow-careless.service")


def plan(*arguments):
    """Exit code and output of plan.yml."""
    done = subprocess.run(
        ["ansible-playbook", "-i", inventory(), ROOT / "playbooks/plan.yml", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=BUSY * 600,
        env={**os.environ, "ANSIBLE_NOCOLOR": "true", "ANSIBLE_FORCE_COLOR": "false"},
    )
    return done.returncode, done.stdout + done.stderr


def test_a_plan_changes_nothing_and_says_so_by_its_exit_code(host_named, tmp_path):
    file = tmp_path / "plan.json"
    code, said = plan("--check", "-e", f"airflow_plan_file={file}")
    assert "plan of cluster airflow: nothing to do" in said
    assert code == 0
    host = host_named("node1")
    files = "/etc/airflow/airflow.cfg /etc/systemd/system/*.service"
    units = "airflow-api-server airflow-scheduler airflow-worker@default airflow-worker@heavy haproxy rabbitmq-server"
    seen = f"sha256sum {files}; systemctl show --property=Id,MainPID {units}"
    before = host.check_output(seen)
    changed = json.dumps({"airflow_config": {"celery": {"worker_prefetch_multiplier": 2}}})
    code, said = plan("--check", "-e", f"airflow_plan_file={file}", "-e", changed)
    assert code == 10, said
    assert host.check_output(seen) == before
    found = json.loads(file.read_text())
    assert found["complete"]
    restarts = {row["unit"]: row for row in found["hosts"]["node1"]["actions"] if row["action"] == "restart"}
    assert {"airflow-worker@default.service", "airflow-worker@heavy.service"} <= set(restarts)
    assert "haproxy.service" not in restarts
    assert "finish first" in restarts["airflow-worker@default.service"]["interruption"]
    assert "/etc/airflow/airflow.cfg" in said


def test_a_plan_refuses_a_run_that_could_change_something():
    code, said = plan()
    assert code not in (0, 10)
    assert "FD344" in said
    assert recap(said) == {} or all(changed == 0 for _ok, changed in recap(said).values())
