"""Dumps of a PostgreSQL that the collection does not manage: the playbooks make, prove and restore them."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import pytest
from cluster_access import CANARY, ansible, changes, wait_until
from outside_database import as_root, database_server
from test_secrets import secret_texts

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"
CONFIRMED = ("-e", "airflow_confirm=airflow")


def play(name, *arguments):
    return ansible(str(PLAYBOOKS / name), *arguments, program="ansible-playbook", timeout=900)


@pytest.fixture
def ask(cluster):
    """Asks the server as its root."""
    return partial(as_root, database_server(cluster, "postgresql"), "postgresql")


@pytest.fixture
def dumps(host_named):
    """Lists the dumps as flightdeck-dump does."""
    command = "runuser -u postgres -- flightdeck-dump info"
    return lambda: json.loads(host_named("backup1").check_output(command))[0]["backup"]


def run_canary(host, ask, run):
    """A run of the canary that succeeded."""
    host.check_output(f"airflow dags trigger --run-id={run} {CANARY}")
    state = f"SELECT state FROM dag_run WHERE run_id = '{run}'"
    wait_until("the run succeeds", lambda: ask(state) == ["success"], 120)


def test_a_dump_is_made_encrypted_and_says_what_it_is_of(cluster, host_named, ask, dumps):
    run_canary(host_named("master1"), ask, "before_the_dump")
    assert "would be made" in play("backup.yml", "--check", "--diff")
    assert dumps() == []
    output = play("backup.yml")
    (made,) = dumps()
    assert re.search(rf"Backup {made['label']} \(full\).* in \d+ s", output)
    manifest = json.loads(made["annotation"]["flightdeck"])
    assert manifest["cluster"] == "airflow"
    assert manifest["airflow"] == cluster.model["version"]["full"]
    assert [value[:3] for value in secret_texts(cluster) if value in json.dumps(manifest)] == []
    host = host_named("backup1")
    assert host.check_output(f"head --bytes=8 /var/lib/pgbackrest/{made['label']}.dump") == "Salted__"
    assert re.search(r"^backup +backup1 +ok +1 backups", play("status.yml"), re.MULTILINE)


def test_timers_make_dumps_of_which_the_last_ones_stay(host_named, dumps):
    host = host_named("backup1")
    for kind in ("full", "diff"):
        timer = host.service(f"flightdeck-backup@{kind}.timer")
        assert timer.is_running
        assert timer.is_enabled
        host.check_output(f"systemctl start flightdeck-backup@{kind}.service")
    assert [dump["type"] for dump in dumps()] == ["full", "full"]


def test_a_drill_proves_the_last_dump(host_named, dumps):
    output = play("restore_drill.yml")
    label = dumps()[-1]["label"]
    assert re.search(rf"Backup {label} was restored in \d+ s: dag \d+", output)
    assert "schema " in output
    assert "that of the metastore" in output
    assert not host_named("backup1").file("/var/lib/postgresql/flightdeck-drill").exists
    assert re.search(rf"^backup drill +backup1 +ok +last proven restore: {label}", play("status.yml"), re.MULTILINE)


def test_a_restore_brings_back_what_was_deleted(host_named, ask, dumps):
    master = host_named("master1")
    run_canary(master, ask, "kept")
    play("backup.yml")
    label = dumps()[-1]["label"]
    run_canary(master, ask, "later")
    ask("DELETE FROM dag_run WHERE run_id = 'kept'")
    for code, arguments in {
        "FD320": (),
        "FD370": ("-e", "airflow_restore_time=2026-11-29T11:00:00+00:00", *CONFIRMED),
        "FD335": ("-e", "airflow_restore_set=20200101-000000F", *CONFIRMED),
    }.items():
        with pytest.raises(RuntimeError, match=code):
            play("restore.yml", *arguments)
    play("restore.yml", "--check", "--diff", *CONFIRMED)
    assert ask("SELECT run_id FROM dag_run WHERE run_id IN ('kept', 'later')") == ["later"]
    play("restore.yml", "-e", f"airflow_restore_set={label}", *CONFIRMED)
    assert ask("SELECT run_id FROM dag_run WHERE run_id IN ('kept', 'later')") == ["kept"]
    run_canary(master, ask, "after_the_restore")
    assert changes(play("site.yml")) == {}
    replaced = [dump["label"] for dump in dumps() if dump["type"] == "replaced"]
    assert len(replaced) == 1
    play("backup.yml", "-e", "airflow_remove_replaced_data=true")
    assert {dump["type"] for dump in dumps()} == {"full"}


def test_a_restore_that_fails_leaves_the_data(host_named, ask):
    run_canary(host_named("master1"), ask, "at_the_failure")
    ask("CREATE VIEW public.of_another AS SELECT run_id FROM dag_run")
    with pytest.raises(RuntimeError, match=r"FD339 .*of_another depends on table dag_run"):
        play("restore.yml", *CONFIRMED)
    assert ask("SELECT state FROM dag_run WHERE run_id = 'at_the_failure'") == ["success"]
    ask("DROP VIEW public.of_another")
    play("start.yml")
    play("verify.yml")


def test_a_damaged_dump_is_not_restored(host_named, ask, dumps):
    path = f"/var/lib/pgbackrest/{dumps()[-1]['label']}.dump"
    host = host_named("backup1")
    host.check_output(f"cp --preserve {path} /root/whole")
    host.check_output(f"truncate --size=-1 {path}")
    with pytest.raises(RuntimeError, match=r"FD336 .*invalid checksum"):
        play("restore.yml", *CONFIRMED)
    host.check_output(f"mv /root/whole {path}")
    assert ask("SELECT state FROM dag_run WHERE run_id = 'at_the_failure'") == ["success"]


EMPTY = """
DROP SCHEMA public CASCADE;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE airflow_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES
  TO airflow_app;
ALTER DEFAULT PRIVILEGES FOR ROLE airflow_owner IN SCHEMA public GRANT USAGE, SELECT, UPDATE ON SEQUENCES
  TO airflow_app;
"""


@pytest.mark.thorough
def test_an_upgrade_makes_a_dump_that_comes_back_when_the_migration_fails(cluster, host_named, ask, dumps):
    """With a cluster of an older version, which begins with an empty database."""
    older = ("-e", "airflow_version=3.2.2")
    schema = "SELECT version_num FROM alembic_version"
    play("uninstall.yml", "-e", "airflow_remove_data=airflow", *CONFIRMED)
    ask(EMPTY)
    play("site.yml", *older)
    master = host_named("master1")
    run_canary(master, ask, "of_the_older_version")
    before = ask(schema)
    play("backup.yml", *older)
    said = play("upgrade_rehearse.yml")
    assert re.search(rf"migration +{before[0]} to \w+ \(Airflow {cluster.model['version']['full']}\) in [\d.]+ s", said)
    assert ask(schema) == before
    ask("SET ROLE airflow_owner; CREATE TABLE asset_state_store (in_the_way int)")
    with pytest.raises(RuntimeError, match=r"(?s)FD354 metastore: .*The dump was restored, and Airflow 3\.2\.2 runs"):
        play("upgrade.yml")
    assert ask(schema) == before
    run_canary(master, ask, "after_the_failure")
    made = dumps()[-2:]
    assert [dump["type"] for dump in made] == ["full", "replaced"]
    assert json.loads(made[0]["annotation"]["flightdeck"])["airflow"] == "3.2.2"
    assert changes(play("site.yml", *older)) == {}
    ask("DROP TABLE asset_state_store")
    play("upgrade.yml")
    assert ask(schema) != before
    runs = "SELECT run_id FROM dag_run WHERE run_id IN ('of_the_older_version', 'after_the_failure') ORDER BY 1"
    assert ask(runs) == ["after_the_failure", "of_the_older_version"]
    run_canary(master, ask, "of_the_newer_version")
    assert changes(play("site.yml")) == {}
    label = next(dump["label"] for dump in reversed(dumps()) if dump["type"] == "full")
    play("backup.yml")
    assert json.loads(dumps()[-1]["annotation"]["flightdeck"])["airflow"] != "3.2.2"
    # The way back.
    back = (*older, "-e", "airflow_allow_downgrade=true", "-e", f"airflow_restore_set={label}", *CONFIRMED)
    play("restore.yml", *back)
    assert ask(schema) == before
    assert ask(runs) == ["after_the_failure", "of_the_older_version"]
    run_canary(master, ask, "of_the_older_version_again")
    assert changes(play("site.yml", *older)) == {}
