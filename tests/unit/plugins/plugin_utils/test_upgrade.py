"""What a change of the version of Airflow needs, and what people read of it."""

from __future__ import annotations

import pytest
from ansible_collections.flightdeck.airflow.plugins.filter.upgrades import lint_findings, staged_files
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.upgrade import Change, change, table

OLD, NEW = "3.3.1-0123-py3.11", "3.3.2-4567-py3.11"


@pytest.mark.parametrize(
    ("releases", "version", "equal", "stops", "major", "done"),
    [
        ({"a": OLD, "b": OLD}, "3.3.2", True, False, False, False),
        # A patch release may have migrations, too.
        ({"a": OLD, "b": OLD}, "3.3.2", False, True, False, False),
        ({"a": "3.2.2-0-py3.11"}, "3.3.2", True, True, False, False),
        ({"a": "2.11.2-0-py3.11"}, "3.3.2", False, True, True, False),
        # Interrupted: some hosts have it, one is new.
        ({"a": OLD, "b": NEW, "c": ""}, "3.3.2", True, False, False, False),
        ({"a": NEW, "b": NEW}, "3.3.2", True, False, False, True),
        ({"a": NEW}, "3.3.2", False, True, False, False),
        ({"a": "3.10.0-0-py3.11"}, "3.10.1", True, False, False, False),
    ],
)
def test_schema_and_minor_version_decide_whether_all_stops(releases, version, equal, stops, major, done):
    found = change(releases, version, {"equal": equal})
    assert (found.stops, found.migrates, found.major, found.done) == (stops, not equal, major, done)


def test_versions_are_in_their_order():
    assert change({"a": "3.10.0-0", "b": "3.9.1-0"}, "3.11.0", {}).running == ("3.9.1", "3.10.0")


def test_an_upgrade_that_was_interrupted_and_the_way_back_have_the_dump_of_the_first_run():
    name = "2.11.2"
    assert change({"a": "2.11.2-0", "b": "2.11.2-0"}, "3.3.2", {}).name == name
    assert change({"a": "2.11.2-0", "b": "3.3.2-0"}, "3.3.2", {"equal": True}).name == name
    assert change({"a": "3.3.2-0", "b": "3.3.2-0"}, "2.11.2", {}, back=True).name == name
    assert change({"a": "2.11.2-0", "b": "3.3.2-0"}, "2.11.2", {"equal": True}, back=True).name == name
    # No host had switched.
    assert change({"a": "2.11.2-0", "b": "2.11.2-0"}, "2.11.2", {}, back=True).name == name


@pytest.mark.parametrize(
    ("schema", "active", "interrupted"),
    [
        ({"core": "2", "users": ""}, {"core": "2"}, False),
        ({"core": "3", "users": "3"}, {"core": "2"}, False),
        ({"core": "2.5", "users": ""}, {"core": "2"}, True),
        # Between two version tables.
        ({"core": "3", "users": ""}, {"core": "2"}, True),
        ({"core": "3", "users": "1"}, {"core": "2", "users": "1"}, True),
        # An older backup was restored, and the version is the one that runs.
        ({"core": "2", "users": ""}, {"core": "3", "users": "3"}, False),
        # Nothing runs yet.
        ({"core": "2", "users": ""}, {}, False),
        # The way back: tables that the older one does not have do not count.
        ({"core": "3", "users": "3"}, {"core": "3", "users": "3", "more": "1"}, False),
    ],
)
def test_a_schema_between_that_of_two_versions_is_seen(schema, active, interrupted):
    heads = {"core": "3", "users": "3"}
    compared = {"schema": schema, "heads": heads, "active_heads": active, "equal": schema == heads}
    found = change({"a": "2.11.2-0"}, "3.3.2", compared)
    assert (found.interrupted_from, found.schema) == (active if interrupted else {}, active)
    assert Change.from_vars(found.to_vars()) == found


def test_backups_say_which_schema_they_have_until_the_end():
    assert change({"a": "2.11.2-0", "b": "3.3.2-0"}, "3.3.2", {}).schema_version == "2.11.2"
    assert change({"a": "2.11.2-0"}, "3.3.2", {"equal": True}).schema_version == "3.3.2"
    assert change({"a": ""}, "3.3.2", {}).schema_version == "3.3.2"


def test_the_table_has_all_that_was_found_and_the_first_of_many_migrations():
    found = {
        "release": NEW,
        "size_mb": 7,
        "migrations": [{"version": "3.3.0", "title": f"Change {number}"} for number in range(20)],
        "lint": ["`a` moved", "`b` moved"],
        "code": [],
        "dags": 3,
        "errors": {"x.py": "line 1: no"},
        "known_errors": {"y.py": "line 2: no"},
    }
    lines = table(change({"a": OLD}, "3.3.2", {}), found)
    text = "\n".join(" ".join(line.split()) for line in lines)
    assert "airflow 3.3.1 to 3.3.2 3.3.2-4567-py3.11\nverdict short stop the schema" in text
    assert "metastore 20 migrations database of 7 MiB\n3.3.0 Change 0\n" in text
    assert "Change 11\nand 8 more\nconfiguration airflow config lint `a` moved\n`b` moved\nplugins" in text
    assert text.endswith("dags 3 files imported with it x.py: line 1: no\nas before y.py: line 2: no")


def test_nothing_to_do_is_said():
    nothing = {"lint": [], "code": [], "dags": 0, "errors": {}, "known_errors": {}, "migrations": [], "size_mb": 1}
    assert "nothing to do" in table(change({"a": NEW}, "3.3.2", {"equal": True}), {"release": NEW, **nothing})[1]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("No issues found in your airflow.cfg. It is ready for Airflow 3!\n", []),
        (
            "[warning] x\n\x1b[31mFound issues in your airflow.cfg:\x1b[0m\n  - \x1b[33m`a` was removed from\n"
            "`[core]`.\x1b[0m\n  - `b` moved\n\nPlease update your configuration file accordingly.\n",
            ["`a` was removed from `[core]`.", "`b` moved"],
        ),
        ("", []),
    ],
)
def test_findings_of_airflow_are_read_from_its_text(said, found):
    assert lint_findings(said) == found


def test_files_come_from_their_own_templates_wherever_they_are_written():
    files = [
        {"path": "/etc/airflow/airflow.cfg", "mode": "0640"},
        {"path": "/etc/airflow/secrets/fernet_key", "content": "x", "mode": "0640"},
        {"path": "/etc/airflow/python/a.py", "src": "a.py", "mode": "0640"},
    ]
    assert staged_files(files, "/etc/airflow/upgrade") == [
        {"path": "/etc/airflow/upgrade/airflow.cfg", "src": "etc/airflow/airflow.cfg.j2", "mode": "0640"},
        {"path": "/etc/airflow/upgrade/secrets/fernet_key", "content": "x", "mode": "0640"},
        {"path": "/etc/airflow/upgrade/python/a.py", "src": "a.py", "mode": "0640"},
    ]
