"""The programs of the role backup: what changes places after a restore, and what pgBackRest's words mean."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
from pathlib import Path

import pytest

FILES = Path(__file__).parents[5] / "roles/backup/files"


def program(name):
    spec = importlib.util.spec_from_file_location(name, FILES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    importlib.sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


restore = program("flightdeck_restore")
backup = program("flightdeck_backup")
TARGET = restore.Target("airflow", "15", "20261129-021500F", "2026-11-29 11:00:00+00")


@pytest.fixture
def data(tmp_path):
    """Data of a server that has ended."""
    folder = tmp_path / "main"
    folder.mkdir()
    (folder / "PG_VERSION").write_text("15")
    return folder


def restored(data, run):
    """What a run restored beside the ``data``."""
    beside = data.with_name("main.restoring")
    beside.mkdir()
    restore.write_mark(beside, run, TARGET)


def test_restored_data_take_the_place_of_the_present_ones_once(data):
    restored(data, "r1")
    assert restore.activate(data, "r1") == {"aside": f"{data}.before-r1", "changed": True}
    assert restore.marked(data) == {"run": "r1", "label": TARGET.label, "time": TARGET.time}
    assert (data.with_name("main.before-r1") / "PG_VERSION").exists()
    assert restore.activate(data, "r1") == {"aside": "", "changed": False}


def test_a_run_that_was_cut_off_between_the_renames_goes_on(data):
    restored(data, "r1")
    data.rename(data.with_name("main.before-r1"))
    assert restore.restore(TARGET, data, "r2") == {"run": "r1", "resumed": True}
    assert restore.activate(data, "r1") == {"aside": "", "changed": True}


def test_data_of_another_run_are_not_put_in_place(data):
    restored(data, "r1")
    with pytest.raises(restore.RestoreError, match="does not hold what run r2 restored"):
        restore.activate(data, "r2")
    assert (data / "PG_VERSION").exists()


def test_a_server_that_follows_sets_its_own_data_aside_and_keeps_copies_of_the_restored_ones(data):
    assert restore.set_aside(data, "r1") == f"{data}.before-r1"
    assert restore.set_aside(data, "r1") == ""
    data.mkdir()
    restore.write_mark(data, "r1", TARGET)
    assert restore.set_aside(data, "r1") == ""
    assert restore.set_aside(data, "r2") == f"{data}.before-r2"
    assert [path.name for path in restore.aside(data)] == ["main.before-r1", "main.before-r2"]


def test_data_that_a_server_has_open_stay(data, monkeypatch):
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n")
    assert not restore.running(data)
    monkeypatch.setattr(restore, "running", lambda _: True)
    with pytest.raises(restore.RestoreError, match="a server has"):
        restore.set_aside(data, "r1")
    assert data.exists()


def test_the_new_timeline_is_archived_later(data):
    (data / "pg_wal/archive_status").mkdir(parents=True)
    for name in ("00000002.history", "00000003.history"):
        (data / "pg_wal" / name).touch()
    (data / "pg_wal/archive_status/00000002.history.done").touch()
    restore.keep_history(data)
    assert sorted(path.name for path in (data / "pg_wal/archive_status").iterdir()) == [
        "00000002.history.done",
        "00000003.history.ready",
    ]


def test_the_timelines_are_read_from_the_repository(monkeypatch):
    files = {f"15-2/0000000{number}.history": {"time": 100 * number} for number in (2, 3)}

    def run(*command):
        assert command[:2] == ("pgbackrest", "--stanza=airflow")
        if "repo-ls" in command:
            # The first one is of a server that was lost.
            return json.dumps({"15-1/00000009.history": {"time": 1}, **files})
        assert command[-2:] == ("repo-get", "archive/airflow/15-2/00000003.history")
        return "1\t0/C00A4E8\tno recovery target specified\n\n2\t0/3C00DAC0\tbefore 2026-11-29 10:00:00+00\n\n"

    monkeypatch.setattr(restore, "run", run)
    assert restore.history(TARGET) == {
        "newest": 3,
        "made": {2: 200, 3: 300},
        "forks": [[1, "0/C00A4E8", "no recovery target specified"], [2, "0/3C00DAC0", "before 2026-11-29 10:00:00+00"]],
    }
    monkeypatch.setattr(restore, "run", lambda *_command: "{}")
    assert restore.history(TARGET) == {}


def test_the_reason_of_a_server_that_ended_is_what_it_tells_no_client(data, tmp_path):
    own = restore.Server(TARGET, data, str(tmp_path))
    waits = "FATAL:  the database system is starting up\nFATAL:  the database system is not accepting connections\n"
    own.log.write_text(f"{waits}FATAL:  recovery ended before configured recovery target was reached\n")
    assert own.said() == "FATAL: recovery ended before configured recovery target was reached"
    own.log.write_text(f"{waits}FATAL:  too few connections\n")
    assert own.said() == "FATAL: too few connections"


def test_the_private_server_archives_nothing_and_stops_at_the_target(data):
    options = restore.settings(TARGET, data, "/tmp/fdr")
    assert options["archive_mode"] == "off"
    assert options["listen_addresses"] == ""
    assert options["recovery_target_time"] == TARGET.time
    assert options["recovery_target_timeline"] == "latest"
    assert options["restore_command"].endswith(' archive-get %f "%p"')
    assert "recovery_target" not in options
    only = restore.settings(restore.Target("airflow", "15", "x", only=True), data, "/tmp/fdr")
    assert only["recovery_target"] == "immediate"


def test_a_backup_carries_what_roles_and_backup_yml_know(tmp_path, monkeypatch):
    (tmp_path / "role.json").write_text('{"cluster": "airflow"}')
    monkeypatch.setattr(backup, "MANIFESTS", {"pgbackrest": tmp_path / "role.json"})
    monkeypatch.setattr(backup, "COLLECTED", tmp_path / "none.json")
    assert json.loads(backup.manifest("pgbackrest")) == {"cluster": "airflow"}
    (tmp_path / "none.json").write_text('{"dags": "x"}')
    assert json.loads(backup.manifest("pgbackrest")) == {"cluster": "airflow", "dags": "x"}


def test_what_was_wrong_is_in_the_last_lines():
    output = (
        "P00   INFO: backup command begin\nERROR: [082]: WAL segment x\n       was not archived\n       HINT: check\n"
    )
    assert backup.reason(output) == "ERROR: [082]: WAL segment x; HINT: check"
    assert backup.is_damage("P01   INFO: invalid checksum 'airflow/x/pg_data/base/1.zst'")
    assert not backup.is_damage("P00   INFO: stanza: airflow")


class Restored:
    """A private server whose database a release migrates, or does not."""

    def __init__(self, folder, after):
        self.folder = str(folder)
        self.schema = {"alembic_version": "old", "alembic_version_fab": "fab"}
        self.after = after
        self.counts = dict.fromkeys(restore.COUNTS, 2)

    def query(self, _database, statement):
        if "json_build_object" in statement:
            return [json.dumps(self.counts)]
        if "pg_database_size" in statement:
            return ["1000"]
        return [self.schema[statement.split()[-1]]]

    def migrate(self, _own, _release, _auth_manager):
        self.schema |= self.after
        self.counts["dag_run"] = 1
        return 1.25


@pytest.fixture
def rehearse(tmp_path, monkeypatch):
    """Rehearses with a release whose schema is new."""
    (tmp_path / "release").mkdir()
    heads = {"alembic_version": "new", "alembic_version_fab": "fab"}
    (tmp_path / "release/release.json").write_text(json.dumps({"heads": heads}))
    scratch = tmp_path / "scratch"

    def run(after):
        own = Restored(tmp_path, after)
        monkeypatch.setattr(restore, "fetch", lambda _target, directory: directory.mkdir())
        monkeypatch.setattr(restore, "server", lambda _target, _directory: contextlib.nullcontext(own))
        monkeypatch.setattr(restore, "migrate", own.migrate)
        try:
            return restore.rehearse(TARGET, scratch, tmp_path / "release", "")
        finally:
            assert not scratch.exists()

    return run


def test_a_rehearsal_says_how_long_the_migration_took_and_what_it_did_to_rows(rehearse):
    found = rehearse({"alembic_version": "new"})
    assert (found["schema"], found["migrated"], found["migration_seconds"]) == ("old", "new", 1.2)
    assert found["rows"] == ["dag 2", "dag_run 2, then 1", "task_instance 2", "connection 2", "variable 2"]


def test_a_migration_to_another_schema_than_that_of_the_release_is_an_error(rehearse):
    with pytest.raises(restore.RestoreError, match=r"after the migration the schema is .*'old'"):
        rehearse({})


def test_why_a_migration_failed_is_its_exception_and_not_the_sql_after_it():
    said = """Traceback (most recent call last):
  File "base.py", line 1
sqlalchemy.exc.ProgrammingError: (psycopg2.errors.DuplicateTable) relation "backfill" already exists

[SQL:
CREATE TABLE backfill (
    id INTEGER NOT NULL,
    PRIMARY KEY (id)
)

]
(Background on this error at: https://sqlalche.me/e/20/f405)
"""
    assert restore.reason(said).endswith('(psycopg2.errors.DuplicateTable) relation "backfill" already exists')
    assert restore.reason("one\n two\n") == "one; two"
