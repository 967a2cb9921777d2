"""From one Airflow to another and back, with everything that users have. The tests follow each other."""

from __future__ import annotations

import random
import re

import pytest
from cluster_access import changes, inventory, wait_until
from interrupt import kill_after
from upgrades import (
    PASSWORD,
    PLAYBOOKS,
    USER,
    VERSION,
    contents,
    history,
    in_host,
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


def test_an_upgrade_of_the_major_version_keeps_everything():
    play("validate", version=NEW)
    measured("upgrade", version=NEW)
    assert running() == {NEW}
    assert contents() == KEPT["contents"]
    assert history() == KEPT["history"]
    assert log_in() == 201


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


@pytest.mark.thorough
def test_an_upgrade_that_was_killed_anywhere_is_run_again(monkeypatch):
    monkeypatch.setenv(VERSION, MIDDLE)
    for _attempt in range(5):
        print(kill_after(random.uniform(20, 200), ["ansible-playbook", "-i", inventory(), f"{PLAYBOOKS}/upgrade.yml"]))
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
