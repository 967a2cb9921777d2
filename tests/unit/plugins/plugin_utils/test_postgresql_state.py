"""What a server has of users, databases and rights, compared with what it should have."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from ansible_collections.flightdeck.airflow.plugins.filter.services import FilterModule

FILTERS = FilterModule().filters()
FLAGS = "LOGIN,NOSUPERUSER,NOCREATEDB,NOCREATEROLE"
DATABASE = {"name": "airflow", "user": "airflow", "secret": "a", "owner": "airflow_owner", "owner_secret": "b"}
RIGHTS = {"TABLES": "SELECT,INSERT", "SEQUENCES": "USAGE"}


def verifier(password, salt=b"salt", iterations=4096):
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client, server = (hmac.new(salted, key, hashlib.sha256).digest() for key in (b"Client Key", b"Server Key"))
    stored = hashlib.sha256(client).digest()
    texts = (base64.b64encode(each).decode() for each in (salt, stored, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(iterations, *texts)


def held(password="secret", settings=None, groups=(), **attributes):
    flags = {"LOGIN": True, "SUPERUSER": False, "CREATEDB": False, "CREATEROLE": False, "REPLICATION": False}
    return {
        "attributes": flags | attributes,
        "verifier": verifier(password) if password else None,
        "settings": settings,
        "groups": list(groups),
    }


@pytest.mark.parametrize(
    ("user", "server", "alike"),
    [
        ({"password": "secret"}, held(), True),
        ({"password": "other"}, held(), False),
        ({"password": "secret"}, held(password=""), False),
        ({"password": "secret"}, held(LOGIN=False), False),
        ({"password": "secret"}, held(SUPERUSER=True), False),
        # Normalized by the server before it is hashed: the module decides.
        ({"password": "üñ€"}, held(password="üñ€"), False),
        ({}, held(password=""), True),
        ({"password": "secret", "flags": "LOGIN,REPLICATION"}, held(REPLICATION=True), True),
        ({"password": "secret", "flags": "LOGIN,REPLICATION"}, held(), False),
        ({"password": "secret", "flags": "LOGIN,BYPASSRLS"}, held(), False),
        ({"password": "secret", "acts_as": "first"}, held(settings=["role=first"], groups=["first"]), True),
        ({"password": "secret", "acts_as": "first"}, held(settings=["role=first"]), False),
        ({"password": "secret", "acts_as": "first"}, held(groups=["first"]), False),
    ],
)
def test_a_user_is_as_it_should_be(user, server, alike):
    wanted = {"name": "airflow", "flags": FLAGS, **user}
    assert FILTERS["unlike_users"]([wanted], {"airflow": server, "postgres": held()}) == ([] if alike else [wanted])


def test_a_user_that_the_server_lacks_is_made():
    wanted = {"name": "airflow", "flags": FLAGS, "password": "secret"}
    assert FILTERS["unlike_users"]([wanted], {"postgres": held()}) == [wanted]


@pytest.mark.parametrize(
    ("server", "alike"),
    [
        ({"airflow": {"owner": "airflow_owner", "encoding": "UTF8"}}, True),
        ({"airflow": {"owner": "postgres", "encoding": "UTF8"}}, False),
        ({"airflow": {"owner": "airflow_owner", "encoding": "SQL_ASCII"}}, False),
        ({}, False),
    ],
)
def test_a_database_is_as_it_should_be(server, alike):
    assert FILTERS["unlike_databases"]([DATABASE], server) == ([] if alike else [DATABASE])


def test_a_database_without_an_owner_belongs_to_its_user():
    results = {"name": "results", "user": "results", "secret": "a"}
    server = {"results": {"owner": "results", "encoding": "UTF8"}}
    assert FILTERS["unlike_databases"]([results], server) == []


@pytest.mark.parametrize(
    ("rows", "missing"),
    [
        ("rSELECT rINSERT SUSAGE", []),
        ("rSELECT rINSERT", ["SEQUENCES"]),
        ("rSELECT SUSAGE", ["TABLES"]),
        ("", ["TABLES", "SEQUENCES"]),
    ],
)
def test_rights_that_an_owner_has_not_granted(rows, missing):
    names = {"owner": "airflow_owner", "user": "airflow"}
    held_rows = [{**names, "kind": row[0], "privilege": row[1:]} for row in rows.split()]
    assert FILTERS["ungranted"](DATABASE, RIGHTS, held_rows) == missing
