"""When a dump of an earlier run stays. What dumps and restores do is shown on servers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.flightdeck.airflow.plugins.modules.metastore_dump import Dump

OLD = {"alembic_version": "2", "alembic_version_fab": "1"}
BETWEEN = {**OLD, "alembic_version": "2.5"}
RECORD = {"schema": OLD, "last_run": 7}


@pytest.mark.parametrize(
    ("began_with", "record", "last_run", "stays"),
    [
        (OLD, RECORD, 7, True),
        # The release knows one of the version tables.
        ({"alembic_version": "2"}, RECORD, 7, True),
        # It was used since.
        (OLD, RECORD, 8, False),
        # There is no dump, or one of what an interrupted migration left.
        (OLD, {}, 7, False),
        (OLD, {"schema": BETWEEN, "last_run": 7}, 7, False),
        # No migration was interrupted.
        ({}, RECORD, 7, False),
    ],
)
def test_a_dump_stays_after_an_interrupted_migration(monkeypatch, began_with, record, last_run, stays):
    module = SimpleNamespace(params={"directory": "/dumps", "name": "2", "port": 5432, "schema": began_with})
    monkeypatch.setattr(Dump, "record", lambda _self: record)
    monkeypatch.setattr(Dump, "present", lambda _self: {"schema": BETWEEN, "last_run": last_run})
    assert Dump(module).stays() is stays
