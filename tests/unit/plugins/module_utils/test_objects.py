"""What a declaration may be, and how it differs from what Airflow has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from ansible_collections.flightdeck.airflow.plugins.module_utils import _objects

CONNECTION, VARIABLE, POOL, USER, ROLE = (
    _objects.KINDS[name] for name in ("connection", "variable", "pool", "user", "role")
)
JANE = {
    "username": "jane",
    "email": "jane@example.org",
    "first_name": "Jane",
    "last_name": "Doe",
    "roles": ["Op", "sales"],
}
WAREHOUSE = {
    "conn_id": "warehouse",
    "conn_type": "postgres",
    "host": "db",
    "port": 5432,
    "password": "hunter2-hunter2",
    "extra": {"sslmode": "verify-full", "nested": [{"token": "t0ken-t0ken"}]},
}


def faults(kind, *entries, admin="admin"):
    return [(fault.sort, fault.where) for fault in _objects.check(kind, entries, "list", admin)]


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        (CONNECTION, WAREHOUSE),
        (CONNECTION, {"conn_id": "a.b-c_d", "uri": "http://host"}),
        (CONNECTION, {"conn_id": "a", "conn_type": "fs", "port": None, "extra": {}}),
        (VARIABLE, {"key": "a b/c", "value": ""}),
        (VARIABLE, {"key": "a", "value": False}),
        (POOL, {"name": "any name", "slots": -1, "include_deferred": True}),
        (POOL, {"name": "default_pool", "slots": 0}),
        (USER, JANE),
        (ROLE, {"name": "sales", "permissions": {"DAGs": ["can_read"]}}),
        (ROLE, {"name": "Public", "permissions": {}}),
    ],
)
def test_what_may_be_declared(kind, entry):
    assert faults(kind, entry) == []


@pytest.mark.parametrize(
    ("kind", "entry", "sort", "where"),
    [
        (CONNECTION, "warehouse", "shape", "list[0]"),
        (CONNECTION, {"conn_id": "a"}, "shape", "list.a.conn_type"),
        (CONNECTION, {"conn_type": "fs"}, "shape", "list[0].conn_id"),
        (CONNECTION, {"conn_id": "a", "conn_type": "fs", "user": "x"}, "shape", "list.a.user"),
        (CONNECTION, {"conn_id": "a", "conn_type": "fs", "port": "5432"}, "shape", "list.a.port"),
        (CONNECTION, {"conn_id": "a", "conn_type": "fs", "port": True}, "shape", "list.a.port"),
        (CONNECTION, {"conn_id": "a", "conn_type": "fs", "password": 1234}, "shape", "list.a.password"),
        (CONNECTION, {"conn_id": "a", "conn_type": "fs", "extra": '{"a": 1}'}, "shape", "list.a.extra"),
        (CONNECTION, {"conn_id": "a", "conn_type": "fs", "port": 70000}, "value", "list.a.port"),
        (CONNECTION, {"conn_id": "a b", "conn_type": "fs"}, "value", "list.a b.conn_id"),
        (CONNECTION, {"conn_id": "a", "conn_type": "fs", "password": "***"}, "value", "list.a.password"),
        (CONNECTION, {"conn_id": "a", "conn_type": "fs", "extra": {"b": [{"c": "***"}]}}, "value", "list.a.extra"),
        (CONNECTION, {"conn_id": "a", "uri": "http://x", "host": "x"}, "uri", "list.a.uri"),
        (CONNECTION, {"conn_id": "a", "uri": "no uri"}, "uri", "list.a.uri"),
        (VARIABLE, {"key": "a"}, "shape", "list.a.value"),
        (VARIABLE, {"key": "a" * 251, "value": ""}, "value", f"list.{'a' * 251}"),
        (POOL, {"name": "a"}, "shape", "list.a.slots"),
        (POOL, {"name": "a", "slots": -2}, "value", "list.a.slots"),
        (POOL, {"name": "default_pool", "slots": 1, "description": "x"}, "reserved", "list.default_pool.description"),
        (USER, {**JANE, "roles": []}, "shape", "list.jane.roles"),
        (USER, {**JANE, "roles": "Op"}, "shape", "list.jane.roles"),
        (USER, {**JANE, "email": "jane"}, "value", "list.jane.email"),
        (USER, {**JANE, "password": ""}, "value", "list.jane.password"),
        (USER, {**JANE, "username": "admin"}, "reserved", "list.admin"),
        (ROLE, {"name": "Viewer", "permissions": {}}, "reserved", "list.Viewer"),
        (ROLE, {"name": "a", "permissions": ["can_read"]}, "shape", "list.a.permissions"),
        (ROLE, {"name": "a", "permissions": {"DAGs": "can_read"}}, "shape", "list.a.permissions.DAGs"),
        (ROLE, {"name": "a", "permissions": {"DAGs": []}}, "value", "list.a.permissions.DAGs"),
    ],
)
def test_what_is_wrong_is_one_fault(kind, entry, sort, where):
    assert faults(kind, entry) == [(sort, where)]


def test_names_and_addresses_are_there_once():
    pool = {"name": "a", "slots": 1}
    assert faults(POOL, pool, pool) == [("twice", "list.a")]
    assert faults(USER, JANE, {**JANE, "username": "joe", "email": "JANE@example.org"}) == [("twice", "list.joe.email")]


def test_no_fault_holds_a_secret():
    entries = [{"conn_id": "a", "uri": "postgres://u:hunter2@h:port/x"}, {"conn_id": "b", "password": ["hunter2"]}]
    said = " ".join(str(fault) for fault in _objects.check(CONNECTION, entries, "list"))
    assert "list.a.uri" in said
    assert "list.b.password" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("postgresql://u%40:p%2Fw@Db.example:5433/s?n=5&m=x", ("postgres", "db.example", "u@", "p/w", "s", 5433)),
        (
            "http://https://user:pw@api.example.org:8443/v1",
            ("http", "https://api.example.org", "user", "pw", "v1", 8443),
        ),
        ("mysql://root:secret@%2Frun%2FMySQL.sock/db", ("mysql", "/run/MySQL.sock", "root", "secret", "db", None)),
        ("mysql://u:p@[::1]:3306/x", ("mysql", "::1", "u", "p", "x", 3306)),
        ("google-cloud-platform://?a=b", ("google_cloud_platform", "", "", "", "", None)),
        ("x://h/a%2Fb", ("x", "h", "", "", "a/b", None)),
        ("spark://spark%3A%2F%2Flocalhost:7077", ("spark", "spark://localhost", "", "", "", 7077)),
    ],
)
def test_a_uri_has_the_parts_that_airflow_reads(uri, parts):
    """Compared with Airflow 3.3's own code once, and in a cluster by the tests of ``custom``."""
    found = _objects.from_uri(uri)
    assert tuple(found[key] for key in ("conn_type", "host", "login", "password", "schema", "port")) == parts


def test_the_extra_of_a_uri():
    assert _objects.from_uri("a://?n=5&t=true&x=text&e=")["extra"] == {"n": 5, "t": True, "x": "text", "e": ""}
    assert _objects.from_uri("a://?__extra__=%7B%22b%22%3A%20%5B1%5D%7D")["extra"] == {"b": [1]}


@pytest.mark.parametrize("uri", ["", "text", "a://b://c://d", "a://u@b://c", "a://h:port", "a://?__extra__=x"])
def test_what_is_no_uri(uri):
    with pytest.raises(ValueError, match=r"^(no URI|a URI )"):
        _objects.from_uri(uri)


def differs(kind, wanted, **found):
    declared = _objects.declared(kind, wanted)
    said = _objects.compare(kind, declared, {**declared, **found})
    return {name: how for name, how in said.items() if how != "same"}


def test_what_is_masked_is_unknown_and_everything_else_is_compared():
    nested = {"sslmode": "verify-full", "nested": [{"token": "***"}]}
    assert differs(CONNECTION, WAREHOUSE) == {}
    assert differs(CONNECTION, WAREHOUSE, password="***") == {"password": "unknown"}
    assert differs(CONNECTION, WAREHOUSE, extra=nested) == {"extra": "unknown"}
    assert differs(CONNECTION, WAREHOUSE, extra={**nested, "sslmode": "off"}) == {"extra": "different"}
    assert differs(CONNECTION, WAREHOUSE, password="", port=1) == {"password": "different", "port": "different"}
    # Airflow 2 says nothing of passwords.
    assert differs(CONNECTION, WAREHOUSE, password=None) == {"password": "unknown"}
    assert differs(CONNECTION, {**WAREHOUSE, "password": None}, password=None) == {}
    assert differs(CONNECTION, {**WAREHOUSE, "password": None}, password="***") == {"password": "different"}


def test_variables_are_compared_as_json_where_both_are():
    assert differs(VARIABLE, {"key": "a", "value": {"b": [1, "x"]}}, value='{"b":[1,"x"]}') == {}
    assert differs(VARIABLE, {"key": "a", "value": '{"b": 1}'}, value='{"b": 2}') == {"value": "different"}
    assert differs(VARIABLE, {"key": "a", "value": {"secret": "s"}}, value='{"secret": "***"}') == {"value": "unknown"}
    assert differs(VARIABLE, {"key": "a", "value": "1"}, value="1.0") == {"value": "different"}
    assert _objects.declared(VARIABLE, {"key": "a", "value": True})["value"] == "true"


def test_order_of_roles_and_actions_does_not_matter():
    assert differs(USER, JANE, roles=["Op", "sales"]) == {}
    assert differs(USER, {**JANE, "roles": ["sales", "Op", "Op"]}, roles=["Op", "sales"]) == {}
    wanted = {"name": "a", "permissions": {"Pools": ["can_read"], "DAGs": ["can_read", "can_edit"]}}
    assert differs(ROLE, wanted, permissions={"DAGs": ["can_edit", "can_read"], "Pools": ["can_read"]}) == {}


def plan(kind, wanted, found, **how):
    entries = {entry[kind.key]: _objects.declared(kind, entry) for entry in wanted}
    return _objects.plan(kind, entries, {entry[kind.key]: entry for entry in found}, **how)


def test_a_plan_has_what_differs_and_nothing_else():
    same, other = {"name": "same", "slots": 1}, {"name": "other", "slots": 1}
    new, old = {"name": "new", "slots": 1}, {"name": "old", "slots": 1}
    found = [_objects.declared(POOL, entry) for entry in (same, {**other, "slots": 2}, old)]
    changes = plan(POOL, [same, other, new], found, absent=["old", "gone before"])
    assert [(change.action, change.name) for change in changes] == [
        ("updated", "other"),
        ("created", "new"),
        ("deleted", "old"),
    ]


@pytest.mark.parametrize(("write", "count"), [(True, 1), (False, 0)])
def test_the_caller_decides_about_what_is_unknown(write, count):
    found = {**_objects.declared(CONNECTION, WAREHOUSE), "password": "***"}
    assert len(plan(CONNECTION, [WAREHOUSE], [found], write_unknown=write)) == count
    assert len(plan(CONNECTION, [WAREHOUSE], [{**found, "host": "other"}], write_unknown=write)) == 1


def test_a_diff_shows_which_secret_differs_and_none_of_them():
    found = {**_objects.declared(CONNECTION, WAREHOUSE), "password": "another-secret"}
    found["extra"] = {**found["extra"], "sslmode": "require"}
    text = _objects.diff(plan(CONNECTION, [WAREHOUSE], [found]))
    before, after = (json.loads(text[side])["connections"]["warehouse"] for side in ("before", "after"))
    assert (before["password"], after["password"]) == ("(hidden)", "(hidden, another one)")
    assert after["extra"] == {"sslmode": "(hidden, another one)", "nested": "(hidden)"}
    assert before["host"] == after["host"] == "db"
    assert not any(secret in str(text) for secret in ("another-secret", "hunter2", "t0ken", "verify-full"))


def test_a_diff_without_changes_is_empty():
    assert _objects.diff([]) == {"before": "", "after": ""}


def test_the_example_of_the_page_is_what_a_cluster_of_the_tests_has():
    root = Path(__file__).parents[4]
    page = (root / "docs/objects.md").read_text()
    example = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    deployed = yaml.safe_load((root / "molecule/custom/inventory/group_vars/all/objects.yml").read_text())
    names = {
        "airflow_connections": "custom_connections_documented",
        "airflow_variables": "custom_variables",
        **{name: name for name in ("airflow_pools", "airflow_roles", "airflow_users")},
    }
    assert example == {name: deployed[its] for name, its in names.items()}
