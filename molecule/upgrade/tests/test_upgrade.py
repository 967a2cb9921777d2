"""From one Airflow to another and back, with everything that users have. The tests follow each other."""

from __future__ import annotations

import re
import threading

import pytest
from cluster_access import changes, inventory, wait_until
from interrupt import Run, kill_runs
from upgrades import (
    PASSWORD,
    PLAYBOOKS,
    USER,
    VERSION,
    contents,
    history,
    in_host,
    locked,
    log_in,
    play,
    processes,
    query,
    report,
    requests,
    running,
)

OLD, MIDDLE, NEW = "2.11.2", "3.2.2", "3.3.2"
KEPT: dict[str, object] = {}


def measured(name, *arguments, version):
    """Output of a playbook that stops Airflow; what it says of the time is not less than what users see."""
    with requests("/") as asking:
        said = play(name, *arguments, version=version)
    print(f"{name} to {version}: {asking.outage:.0f} s without an answer;", *re.findall(r"\w+ stopped for.*", said))
    stopped = re.search(r"the API stopped for (\d+) s at most", said)
    assert stopped, said[-2000:]
    assert asking.outage < int(stopped[1]) + 5
    return said


@pytest.fixture(scope="module", autouse=True)
def users_things():
    """What a user of the old version has: the run of the canary is there already."""
    for command in (
        ["connections", "add", "warehouse", "--conn-uri", "postgres://reader:secret@warehouse.example.org:5432/facts"],
        ["variables", "set", "secret", "kept over all versions"],
        ["roles", "create", "auditors"],
        ["users", "create", "-u", USER, "-p", PASSWORD, "-r", "auditors", "-e", "a@example.org", "-f", "A", "-l", "B"],
        ["users", "add-role", "-u", USER, "-r", "Viewer"],
    ):
        in_host("node1", "airflow", *command)
    wait_until("the DAGs are read", lambda: len(contents()["dags"]) == 3, 120)
    KEPT["contents"], KEPT["history"] = contents(), history()
    assert log_in() == 200


def test_a_deployment_changes_no_version():
    before = processes()
    said = rf"FD350 .*{NEW}, and Airflow {OLD} in use.*Run flightdeck\.airflow\.upgrade,"
    with pytest.raises(RuntimeError, match=said) as refused:
        play("site", version=NEW)
    assert changes(str(refused.value)) == {}
    assert processes() == before


def test_the_check_says_what_an_upgrade_would_do_and_changes_nothing_that_runs(tmp_path):
    before = processes()
    said = play("upgrade_check", "-e", f"airflow_upgrade_report={tmp_path}/found.json", version=NEW)
    assert re.search(r"^verdict +short stop", said, re.MULTILINE)
    found = report(tmp_path / "found.json")
    assert (found["running"], found["version"], found["stops"], found["migrates"]) == ([OLD], NEW, True, True)
    assert len(found["migrations"]) > 80
    assert found["migrations"][0]["version"] == "3.0.0"
    assert (found["errors"], found["dags"]) == ({}, 2)
    assert processes() == before
    assert running() == {OLD}
    assert in_host("node1", "sh", "-c", "ls /etc/airflow") == in_host("node2", "sh", "-c", "ls /etc/airflow")


def test_dags_that_the_next_version_cannot_import_are_found(tmp_path):
    (tmp_path / "old.py").write_text("from airflow.operators.subdag import SubDagOperator\n")
    with pytest.raises(RuntimeError, match=r"FD351 DAG files: found import errors with Airflow .*in old\.py"):
        play("upgrade_check", "-e", f"airflow_dags_dir={tmp_path}", version=NEW)
    assert running() == {OLD}


def test_a_rehearsal_migrates_a_backup_and_nothing_else():
    play("backup", "-e", "airflow_backup_type=full", version=OLD)
    before = processes()
    said = play("upgrade_rehearse", version=NEW)
    took = re.search(r"^ *migration +5f2621c13b39 to (\w+) \(Airflow 3\.3\.2\) in ([\d.]+) s", said, re.MULTILINE)
    assert took, said[-3000:]
    print(*re.findall(r"(?m)^ *(?:rehearsal|migration|live|rows) +.*$", said), sep="\n")
    assert took[1] != "5f2621c13b39"
    assert float(took[2]) > 0
    # What 2.11 knows of DAGs, runs and connections is there afterwards.
    assert ", then " not in re.search(r"(?m)^ *rows +.*$", said)[0]
    assert (processes(), running(), history()) == (before, {OLD}, KEPT["history"])
    assert query("SELECT version_num FROM alembic_version") == ["5f2621c13b39"]
    assert in_host("backup1", "sh", "-c", "ls -d /opt/airflow/releases/* /var/lib/postgresql/flightdeck-*; true") == ""


def test_a_migration_that_fails_in_the_rehearsal_leaves_the_old_cluster_running():
    query("CREATE TABLE backfill (in_the_way int)")
    play("backup", version=OLD)
    with pytest.raises(RuntimeError, match=r'(?s)FD358 .*"backfill" already exists.*The cluster is untouched'):
        play("upgrade_rehearse", version=NEW)
    said = rf"(?s)FD354 metastore: .*The dump was restored, and Airflow {OLD} runs again"
    with pytest.raises(RuntimeError, match=said):
        play("upgrade", version=NEW)
    assert query("SELECT version_num FROM alembic_version") == ["5f2621c13b39"]
    query("DROP TABLE backfill")
    assert running() == {OLD}
    assert (contents(), history()) == (KEPT["contents"], KEPT["history"])
    play("verify", version=OLD)
    KEPT["history"] = history()


@pytest.mark.thorough
def test_a_host_that_does_not_stop_ends_the_upgrade_before_the_migration():
    unit = "airflow-triggerer.service"
    in_host("node2", "mkdir", "-p", f"/run/systemd/system/{unit}.d")
    in_host("node2", "tee", f"/run/systemd/system/{unit}.d/stay.conf", stdin="[Unit]\nRefuseManualStop=yes\n")
    in_host("node2", "systemctl", "daemon-reload")
    with pytest.raises(RuntimeError, match=r"FD371 Airflow on node2: .*The metastore is as it was"):
        play("upgrade", version=NEW)
    assert query("SELECT version_num FROM alembic_version") == ["5f2621c13b39"]
    in_host("node2", "rm", "-r", f"/run/systemd/system/{unit}.d")
    in_host("node2", "systemctl", "daemon-reload")
    play("start", version=OLD)
    assert running() == {OLD}
    assert (contents(), history()) == (KEPT["contents"], KEPT["history"])


def test_an_upgrade_of_the_major_version_keeps_everything():
    play("validate", version=NEW)
    measured("upgrade", version=NEW)
    assert running() == {NEW}
    assert contents() == KEPT["contents"]
    assert history() == KEPT["history"]
    assert log_in() == 201
    KEPT["head"] = query("SELECT version_num FROM alembic_version")


def test_nothing_is_left_to_do():
    assert changes(play("upgrade", version=NEW)) == {}
    assert changes(play("site", version=NEW)) == {}


def test_the_way_back_restores_what_was_and_says_what_is_lost():
    play("verify", version=NEW)
    before = processes()
    with pytest.raises(RuntimeError, match=r"FD320 .*1 DAG runs \(success: 1\)"):
        play("rollback", version=OLD)
    assert processes() == before
    measured("rollback", "-e", "airflow_confirm=airflow", version=OLD)
    assert running() == {OLD}
    assert contents() == KEPT["contents"]
    assert history() == KEPT["history"]
    assert log_in() == 200
    assert changes(play("site", version=OLD)) == {}
    play("verify", version=OLD)


def kill(name, *arguments):
    """Start a playbook five times, and kill each run after a random time."""
    kill_runs(["ansible-playbook", "-i", inventory(), f"{PLAYBOOKS}/{name}.yml", *arguments], 20, 200)


def kill_upgrade(what, when):
    """Begin an upgrade, and kill it as soon as ``when`` is true, which is ``what`` is waited for."""
    with Run(["ansible-playbook", "-i", inventory(), f"{PLAYBOOKS}/upgrade.yml"]) as run:
        reader = threading.Thread(target=run.communicate)
        reader.start()
        wait_until(what, lambda: run.poll() is not None or when(), 900, every=0.1)
        assert run.poll() is None
        run.kill()
        reader.join()


def interrupt_migration():
    """Begin an upgrade, and kill it, on the host as well, between two migrations."""
    waiting = "SELECT 1 FROM pg_locks JOIN pg_database ON database = pg_database.oid WHERE NOT granted"
    # One of the last migrations alters it.
    with locked("trigger"):
        kill_upgrade("a migration waits for the table", lambda: query(waiting))
        in_host("node1", "pkill", "-KILL", "-f", "airflow db migrate")
    wait_until("the migration is gone", lambda: not query(waiting), 60)
    # Neither the old version's nor the new one's.
    assert query("SELECT version_num FROM alembic_version") not in (["5f2621c13b39"], KEPT["head"])


@pytest.mark.thorough
def test_a_migration_that_was_interrupted_has_a_way_back(monkeypatch):
    monkeypatch.setenv(VERSION, NEW)
    interrupt_migration()
    # A later migration makes it.
    query("CREATE TABLE connection_test_request (in_the_way int)")
    said = rf"(?s)FD354 metastore: .*The dump was restored, and Airflow {OLD} runs again.*connection_test_request"
    with pytest.raises(RuntimeError, match=said):
        play("upgrade", version=NEW)
    assert running() == {OLD}
    assert contents() == KEPT["contents"]
    assert set(KEPT["history"]) <= set(history())
    play("verify", version=OLD)

    kept = history()
    monkeypatch.setenv(VERSION, NEW)
    interrupt_migration()
    play("rollback", "-e", "airflow_confirm=airflow", version=OLD)
    assert running() == {OLD}
    assert (contents(), history()) == (KEPT["contents"], kept)
    assert changes(play("site", version=OLD)) == {}
    play("verify", version=OLD)


@pytest.mark.thorough
def test_an_upgrade_that_was_killed_anywhere_is_run_again(monkeypatch):
    monkeypatch.setenv(VERSION, MIDDLE)
    active = ("readlink", "/opt/airflow/current")
    # With the configuration of the old version, of whose options the new one complains.
    kill_upgrade("the release is active", lambda: MIDDLE in in_host("node1", *active))
    kill("upgrade")
    play("upgrade", version=MIDDLE)
    assert running() == {MIDDLE}
    assert contents() == KEPT["contents"]
    assert changes(play("site", version=MIDDLE)) == {}


@pytest.mark.thorough
def test_an_upgrade_of_the_minor_version_keeps_everything():
    kept = history()
    measured("upgrade", version=NEW)
    assert running() == {NEW}
    assert contents() == KEPT["contents"]
    assert history() == kept
    play("verify", version=NEW)


@pytest.mark.thorough
def test_a_way_back_that_was_killed_anywhere_is_run_again(monkeypatch):
    monkeypatch.setenv(VERSION, MIDDLE)
    kill("rollback", "-e", "airflow_confirm=airflow")
    play("rollback", "-e", "airflow_confirm=airflow", version=MIDDLE)
    assert running() == {MIDDLE}
    assert contents() == KEPT["contents"]
    assert changes(play("site", version=MIDDLE)) == {}
    play("verify", version=MIDDLE)
    play("upgrade", version=NEW)
    assert running() == {NEW}
    assert contents() == KEPT["contents"]


@pytest.mark.thorough
def test_a_patch_release_with_the_same_schema_comes_host_after_host():
    """Back from 3.3.2 to 3.3.1 and forward again, while users and a task go on."""
    with requests("/api/v2/version") as asking:
        said = play("rollback", version="3.3.1", timeout=1800)
    assert "stopped for" not in said
    assert running() == {"3.3.1"}
    assert asking.failed == []
    with requests("/api/v2/version") as asking:
        play("upgrade", version=NEW)
    assert running() == {NEW}
    assert asking.failed == []
    assert asking.asked > 100
    assert changes(play("site", version=NEW)) == {}
