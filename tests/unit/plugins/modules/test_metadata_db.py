"""What must not be migrated, and what nothing is said about."""

from __future__ import annotations

import sys

import pytest
from ansible_collections.flightdeck.airflow.plugins.modules.metadata_db import State, known_revisions
from cryptography.fernet import Fernet

KEY, OTHER = (Fernet.generate_key().decode() for _ in range(2))
TOKEN = Fernet(KEY).encrypt(b"a password").decode()
KNOWN = {"e3a246e0dc1", "5f2621c13b39"}


def problem(schema="5f2621c13b39", token="", revisions=KNOWN, keys=KEY):
    versions = {} if schema is None else {"alembic_version": schema, "alembic_version_fab": "1"}
    return State(versions, set(versions), "", token).state_problem("2.11.2", revisions, keys)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, ""),
        ({"schema": "e3a246e0dc1", "token": TOKEN}, ""),
        ({"token": TOKEN, "keys": f"{OTHER},{KEY}"}, ""),
        ({"schema": "d2f4e1b3c5a7"}, "FD216 metastore: found the schema version d2f4e1b3c5a7"),
        ({"token": TOKEN, "keys": OTHER}, "FD215 airflow_fernet_key: found a key that does not decrypt"),
        # Before the first migration, one that was interrupted, without migrations to compare with, and without a key.
        ({"schema": None}, ""),
        ({"schema": ""}, ""),
        ({"schema": "d2f4e1b3c5a7", "revisions": set()}, ""),
        ({"token": TOKEN, "keys": ""}, ""),
    ],
)
def test_what_is_refused_before_a_migration(given, says):
    found = problem(**given) or ""
    assert found.startswith(says) if says else found == ""
    assert KEY not in found
    assert OTHER not in found


def test_migrations_are_found_without_an_import(tmp_path, monkeypatch):
    folder = tmp_path / "airflow/migrations/versions"
    folder.mkdir(parents=True)
    (tmp_path / "airflow/__init__.py").write_text("raise RuntimeError('imported')\n")
    (folder / "0001.py").write_text('revision = "e3a246e0dc1"\n')
    monkeypatch.syspath_prepend(tmp_path)
    # A stand-in that another test imported would be found first.
    monkeypatch.delitem(sys.modules, "airflow", raising=False)
    assert known_revisions({"alembic_version": "e3a246e0dc1"}) == {"e3a246e0dc1"}
    assert known_revisions({"alembic_version": "another"}) == set()


def test_an_account_is_created_when_there_is_none():
    assert State({}, set(), "", "").account("a password") == "created"
