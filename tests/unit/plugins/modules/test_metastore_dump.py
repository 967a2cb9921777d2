"""When a dump of an earlier run stays. What dumps and restores do is shown on servers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.flightdeck.airflow.plugins.modules.metastore_dump import Dump

OLD = {"alembic_version": "2", "alembic_version_fab": "1"}
BETWEEN = {**OLD, "alembic_version": "2.5"}
RECORD = {"schema": OLD, "last_run": 7}


@pytest.mark.parametrize(
    ("wanted", "record", "present", "stays"),
    [
        # A migration was interrupted: before one of the version tables was at its end, and between two of them.
        (OLD, RECORD, {"schema": BETWEEN, "last_run": 7}, True),
        ({"alembic_version": "2"}, RECORD, {"schema": {"alembic_version": "3"}, "last_run": 7}, True),
        # None was: the database goes on.
        (OLD, RECORD, {"schema": OLD, "last_run": 7}, False),
        # It was used since.
        (OLD, RECORD, {"schema": BETWEEN, "last_run": 8}, False),
        # There is no dump, or one of that state.
        (OLD, {}, {"schema": BETWEEN, "last_run": 7}, False),
        (OLD, {"schema": BETWEEN, "last_run": 7}, {"schema": BETWEEN, "last_run": 7}, False),
        # Nothing is known of the version that runs.
        ({}, RECORD, {"schema": BETWEEN, "last_run": 7}, False),
    ],
)
def test_a_dump_stays_while_the_database_is_between_two_schemas(monkeypatch, wanted, record, present, stays):
    module = SimpleNamespace(params={"directory": "/dumps", "name": "2", "port": 5432, "schema": wanted})
    monkeypatch.setattr(Dump, "record", lambda _self: record)
    monkeypatch.setattr(Dump, "present", lambda _self: present)
    assert Dump(module).interrupted() is stays
