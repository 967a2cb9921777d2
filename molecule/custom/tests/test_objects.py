"""Connections, variables, pools, users and roles of the inventory: what tasks and users have of them, and what a change
touches."""

from __future__ import annotations

import hashlib
import json
import os
from unittest.mock import patch

import pytest
import requests
from changes import change
from dag_runs import log_in
from outside import run_in
from tasks import in_task

SECRETS = ("warehouse-password", "chat-password", "jane's password", "secret-7", "password-9", "BEGIN KEY")


def hashed(text):
    return hashlib.sha256(text.encode()).hexdigest()


CONNECTION = """
import hashlib
from airflow.sdk import Connection
found = Connection.get("{name}")
hashed = hashlib.sha256((found.password or "").encode()).hexdigest()
return [found.conn_type, found.host, found.login, found.port, found.schema, hashed, found.extra_dejson]
"""


def connection(cluster, name):
    return in_task(cluster, CONNECTION.format(name=name).strip())


def names(session, cluster, plural, key, base="/api/v2"):
    answer = session.get(f"{cluster.url}{base}/{plural}", params={"limit": 100}, timeout=30)
    assert answer.status_code == 200, answer.text
    return {item[key] for item in answer.json()[plural]}


def test_a_task_reads_a_connection(cluster):
    assert connection(cluster, "warehouse") == [
        "postgres",
        "db.example.org",
        "etl",
        5432,
        "sales",
        hashed("warehouse-password"),
        {"sslmode": "verify-full"},
    ]


def test_airflow_has_the_parts_of_uris_and_awkward_secrets(cluster):
    exported = json.loads(
        run_in(cluster.containers["core"], "airflow", "connections", "export", "-", "--file-format", "json")
    )
    parts = {
        name: [exported[name][key] for key in ("conn_type", "host", "login", "password", "schema", "port")]
        for name in ("awkward", "chat", "mail", "socket", "web")
    }
    assert parts == {
        "awkward": ["http", "https://x.example.org", "a@b", "p:/?#@ %25 \"'\\ ü {}[]", None, None],
        "chat": ["https", "chat.example.org", "bot", "chat-password", "channel", None],
        "mail": ["smtp", "mail.example.org", "user@example.org", "pa/ss", None, 587],
        "socket": ["mysql", "/run/MySQL.sock", "root", "secret-7", "db", None],
        "web": ["http", "https://api.example.org", "user", "password-9", "v1", 8443],
    }
    assert json.loads(exported["mail"]["extra"]) == {"disable_ssl": True, "timeout": 30}
    assert json.loads(exported["key"]["extra"])["private_key"].count("\n") == 3


def test_a_task_reads_variables_as_text_and_as_json(cluster):
    body = """
from airflow.sdk import Variable
values = [Variable.get(key) for key in ("flag", "number", "text", "nothing")]
return [*values, Variable.get("regions", deserialize_json=True)]
""".strip()
    assert in_task(cluster, body) == ["true", "7", "1", "", {"emea": ["de", "fr"], "apac": ["jp"]}]


def test_a_user_may_what_their_roles_allow(cluster):
    token = requests.post(
        f"{cluster.url}/auth/token", json={"username": "jane", "password": "jane's password"}, timeout=30
    )
    assert token.status_code == 201, token.text
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
    assert "warehouse" in names(session, cluster, "pools", "name")
    refused = session.get(f"{cluster.url}/api/v2/connections", timeout=30)
    assert refused.status_code == 403


@pytest.fixture(scope="module")
def changed():
    """What the run with the change said and restarted."""
    with patch.dict(os.environ, {"ANSIBLE_DIFF_ALWAYS": "true"}):
        return change("objects")


def test_a_change_restarts_nothing(changed):
    assert changed.restarted == set()


def test_the_diff_shows_what_changes_and_no_secret(changed):
    assert '"password": "(hidden, another one)"' in changed.output
    assert [secret for secret in (*SECRETS, "another-warehouse-password") if secret in changed.output] == []


def test_one_password_is_one_change(cluster, changed):
    assert connection(cluster, "warehouse")[5] == hashed("another-warehouse-password")
    # The others are in the diff neither before nor after.
    assert '"awkward": {' not in changed.output


@pytest.mark.usefixtures("changed")
def test_what_is_not_declared_is_deleted_where_its_kind_is_pruned(cluster):
    session = log_in(cluster)
    pools = names(session, cluster, "pools", "name")
    assert "warehouse" not in pools
    assert "default_pool" in pools
    assert {cluster.user, "jane", "joe"} <= names(session, cluster, "users", "username", "/auth/fab/v1")
    found = session.get(f"{cluster.api_url}/variables", params={"limit": 1}, timeout=30).json()
    assert found["total_entries"] == 202
