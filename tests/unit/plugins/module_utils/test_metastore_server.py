"""What servers say about themselves, and which are taken."""

from __future__ import annotations

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils._metastore_server import (
    QUERIES,
    SECOND,
    SESSION,
    server_problem,
)

GOOD = {
    "explicit_defaults_for_timestamp": "ON",
    "character_set_database": "utf8mb4",
    "log_bin": "ON",
    "log_bin_trust_function_creators": "OFF",
    "airflow_2": "0",
}


@pytest.mark.parametrize(
    ("engine", "least", "version", "code"),
    [
        ("postgresql", "14", "PostgreSQL 15.14 (Debian 15.14-0+deb12u1) on x86_64-pc-linux-gnu, compiled by gcc", None),
        ("postgresql", "14", "PostgreSQL 14.0", None),
        ("postgresql", "14", "PostgreSQL 13.21", "FD178"),
        ("postgresql", "12", "PostgreSQL 9.6.24 on x86_64-pc-linux-gnu", "FD178"),
        ("postgresql", "14", "PostgreSQL 18devel", None),
        ("postgresql", "14", "CockroachDB CCL v25.2.0 (x86_64-pc-linux-gnu)", "FD178"),
        ("mysql", "8.0", "8.0.43", None),
        ("mysql", "8.0", "8.4.6-0ubuntu1", None),
        ("mysql", "8.0", "9.4.0", None),
        ("mysql", "8.0", "5.7.44-log", "FD178"),
        ("mysql", "8.0", "10.11.14-MariaDB-0+deb12u2", "FD169"),
        ("mysql", "8.0", "5.5.5-10.5.12-MariaDB-log", "FD169"),
        ("mysql", "8.0", "something", "FD178"),
    ],
)
def test_versions(engine, least, version, code):
    said = {name: GOOD.get(name, version) for name in QUERIES[engine]}
    found = server_problem("airflow_metastore_url", engine, least, 3, said)
    assert (found and found[:5]) == code


@pytest.mark.parametrize(("first", "second", "shared"), [("7", "7", True), ("7", "8", False), ("", "", False)])
def test_two_connections_have_a_session_each(first, second, shared):
    said = {"version": "PostgreSQL 15.14", SESSION: first, SECOND: second}
    found = server_problem("airflow_metastore_url", "postgresql", "14", 3, said)
    assert bool(found and "FD178" in found and "pool_mode = session" in found) == shared


@pytest.mark.parametrize("change", [{"explicit_defaults_for_timestamp": "OFF"}, {"character_set_database": "latin1"}])
def test_settings_without_which_airflow_does_not_work(change):
    found = server_problem("airflow_metastore_url", "mysql", "8.0", 3, {"version": "8.4.6", **GOOD, **change})
    assert found.startswith("FD178")
    assert f"found {next(iter(change))} = {next(iter(change.values()))}; expected" in found


def test_a_setting_that_the_server_does_not_know_any_more_is_no_reason():
    said = {"version": "9.7.4-2", **GOOD, "explicit_defaults_for_timestamp": ""}
    assert server_problem("airflow_metastore_url", "mysql", "8.0", 3, said) is None


@pytest.mark.parametrize(
    ("major", "change", "refused"),
    [
        (3, {}, True),
        (2, {}, False),
        (3, {"log_bin": "OFF"}, False),
        (3, {"log_bin_trust_function_creators": "ON"}, False),
        (3, {"airflow_2": "0"}, False),
    ],
)
def test_tables_of_airflow_2_on_a_server_that_refuses_functions(major, change, refused):
    found = server_problem(
        "airflow_metastore_url", "mysql", "8.0", major, {"version": "8.4.6", **GOOD, "airflow_2": "1", **change}
    )
    assert (found is not None) == refused
    if refused:
        assert found.startswith("FD178")
        assert "SET GLOBAL log_bin_trust_function_creators = 1" in found
