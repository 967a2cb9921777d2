"""The modules for objects against a server that answers like Airflow's: what they ask, write, and refuse."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from urllib.parse import unquote, urlsplit

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.flightdeck.airflow.plugins.module_utils import _object_store
from cryptography.fernet import Fernet

PASSWORD, FAB = "admin's passw0rd", "/auth/fab/v1"
KEYS = {"connections": "connection_id", "variables": "key", "pools": "name", "users": "username", "roles": "name"}
KEY = Fernet.generate_key().decode()


def permission(action, resource):
    return {"action": {"name": action}, "resource": {"name": resource}}


class Airflow:
    """What the server has; a test changes what is to go wrong."""

    def __init__(self, major):
        self.major, self.requests, self.fab, self.revokes = major, [], True, True
        admin = {"username": "admin", "email": "a@x", "first_name": "A", "last_name": "B", "roles": [{"name": "Admin"}]}
        self.has = {
            "connections": {},
            "variables": {},
            "pools": {"default_pool": {"name": "default_pool", "slots": 128, "description": "Default pool"}},
            "users": {"admin": {**admin, "password": PASSWORD}},
            "roles": {"Admin": {"name": "Admin", "actions": [permission("can_read", "DAGs")]}},
        }

    def shown(self, plural, item, *, whole):
        """As the API shows it: without secrets, and without extras where Airflow 2 lists connections."""
        found = {key: value for key, value in item.items() if key != "password"}
        if plural == "connections" and self.major >= 3:
            found["password"] = "***" if item.get("password") else None
        if plural == "connections" and self.major < 3 and not whole:
            found.pop("extra", None)
        if plural == "variables" and "secret" in item["key"]:
            found["value"] = "***"
        return found

    def login(self, header):
        if self.major >= 3:
            return header == "Bearer t0ken"
        user, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
        return self.has["users"].get(user, {}).get("password") == password

    def answer(self, method, path, body, header):
        prefix = f"/api/v{2 if self.major >= 3 else 1}"
        if path == f"{prefix}/version":
            return 200, {"version": "x"}
        if path == "/auth/token" and self.major >= 3:
            right = self.has["users"].get(body["username"], {}).get("password") == body["password"]
            return (201, {"access_token": "t0ken"}) if right else (401, {"detail": "Invalid credentials"})
        if not path.startswith((prefix, FAB)) or (path.startswith(FAB) and not self.fab):
            return 404, {"detail": "Not Found"}
        if not self.login(header):
            return 401, {"detail": "Not authenticated"}
        plural, _, name = path.removeprefix(prefix).removeprefix(FAB).lstrip("/").partition("/")
        if method != "GET":
            self.requests.append((method, plural, unquote(name)))
        if plural == "dags":
            return 200, {"dags": []}
        if plural == "permissions":
            every = {json.dumps(each) for role in self.has["roles"].values() for each in role["actions"]}
            return 200, {"actions": [json.loads(each) for each in sorted(every)]}
        return self.object(method, plural, unquote(name), body)

    def object(self, method, plural, name, body):
        items = self.has[plural]
        if method == "GET" and not name:
            return 200, {plural: [self.shown(plural, item, whole=False) for item in items.values()]}
        if method == "POST":
            items[body[KEYS[plural]]] = body
            return 200, body
        if method == "PATCH" and not name:
            (action,) = body["actions"]
            if action["action"] == "delete":
                for each in action["entities"]:
                    items.pop(each, None)
                return 200, {"delete": {"success": action["entities"], "errors": []}}
            for entity in action["entities"]:
                items[entity[KEYS[plural]]] = {**items.get(entity[KEYS[plural]], {}), **entity}
            wrong = [{"error": "no"} for entity in action["entities"] if entity.get("host") == "refused"]
            return 200, {"create": {"success": [], "errors": wrong}}
        if name not in items:
            return 404, {"detail": "not found"}
        if method == "DELETE":
            del items[name]
            return 204, {}
        if method == "PATCH":
            if plural == "roles" and not self.revokes:
                body = {**body, "actions": [*items[name]["actions"], *body["actions"]]}
            items[name] = {**items[name], **body}
        return 200, self.shown(plural, items[name], whole=True)


@pytest.fixture(params=[3, 2])
def airflow(request):
    server = Airflow(request.param)

    class Handler(BaseHTTPRequestHandler):
        def reply(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            path = urlsplit(self.path).path
            status, document = server.answer(self.command, path, body, self.headers.get("Authorization") or "")
            content = json.dumps(document).encode() if status != 204 else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments):
            pass

    for method in ("GET", "POST", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.reply)
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    server.url = f"http://127.0.0.1:{listening.server_address[1]}"
    yield server
    listening.shutdown()
    listening.server_close()


@pytest.fixture
def run(airflow, capsys):
    """Returns the result of a module."""

    def call(module="objects", *, check=False, **arguments):
        access = {"url": airflow.url, "api_username": "admin", "api_password": PASSWORD, "timeout": 1}
        control = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_verbosity": 3}
        with patch_module_args({**access, **arguments, **control}), pytest.raises(SystemExit):
            import_module(f"ansible_collections.flightdeck.airflow.plugins.modules.{module}").main()
        return json.loads(capsys.readouterr().out)

    return call


DECLARED = {
    "connections": [
        {"conn_id": "warehouse", "conn_type": "postgres", "host": "db", "password": "hunter2-hunter2"},
        {"conn_id": "lake", "conn_type": "aws", "extra": {"region_name": "eu"}},
    ],
    "variables": [{"key": "regions", "value": {"emea": ["de"]}}, {"key": "a secret", "value": "hunter2-hunter2"}],
    "pools": [{"name": "warehouse", "slots": 8}, {"name": "default_pool", "slots": 256}],
    "users": [
        {
            "username": "jane",
            "email": "j@x",
            "first_name": "J",
            "last_name": "D",
            "roles": ["sales"],
            "password": "jane's passw0rd",
        }
    ],
    "roles": [{"name": "sales", "permissions": {"DAGs": ["can_read"]}}],
}


def done(result):
    assert not result.get("failed"), result["msg"]
    return [(change["action"], change["kind"], change["name"]) for change in result["changes"]]


def test_everything_is_made_once_and_compared_afterwards(airflow, run):
    assert len(done(run(check=True, **DECLARED))) == 8
    assert airflow.requests == []
    result = run(update_secrets="on_create", **DECLARED)
    assert ("updated", "pool", "default_pool") in done(result)
    assert airflow.has["connections"]["warehouse"]["password"] == "hunter2-hunter2"
    assert json.loads(airflow.has["connections"]["lake"]["extra"]) == {"region_name": "eu"}
    assert airflow.has["pools"]["default_pool"]["slots"] == 256
    assert airflow.has["users"]["jane"]["roles"] == [{"name": "sales"}]
    assert airflow.has["roles"]["sales"]["actions"] == [permission("can_read", "DAGs")]
    airflow.requests.clear()
    assert done(run(update_secrets="on_create", **DECLARED)) == []
    assert airflow.requests == []
    # Two of them cannot be compared.
    assert done(run(**DECLARED)) == [("updated", "variable", "a secret"), ("updated", "connection", "warehouse")]


def test_no_answer_of_the_module_holds_a_secret(run):
    text = str(run(**DECLARED))
    assert not any(secret in text for secret in ("hunter2", "passw0rd", PASSWORD))
    assert "warehouse" in text


def test_a_password_of_a_user_is_compared_by_a_login(airflow, run):
    run(**DECLARED)
    (jane,) = DECLARED["users"]
    assert done(run("user", **jane)) == []
    assert done(run("user", **{**jane, "password": "another"})) == [("updated", "user", "jane")]
    assert airflow.has["users"]["jane"]["password"] == "another"
    # Without one in the declaration, they keep theirs.
    assert done(run("user", **{**jane, "password": None, "email": "new@x"})) == [("updated", "user", "jane")]
    assert airflow.has["users"]["jane"]["password"] == "another"
    assert done(run("user", **{**jane, "username": "ldap", "email": "l@x", "password": None})) != []
    assert len(airflow.has["users"]["ldap"]["password"]) > 20


def test_only_what_is_not_declared_is_pruned(airflow, run):
    run(**DECLARED)
    gone = run(prune=["connections", "pools", "users", "roles"], variables=[{"key": "new", "value": "1"}])
    assert {change for change in done(gone) if change[0] == "deleted"} == {
        ("deleted", "connection", "warehouse"),
        ("deleted", "connection", "lake"),
        ("deleted", "pool", "warehouse"),
        ("deleted", "user", "jane"),
        ("deleted", "role", "sales"),
    }
    assert {plural: sorted(items) for plural, items in airflow.has.items()} == {
        "connections": [],
        "variables": ["a secret", "new", "regions"],
        "pools": ["default_pool"],
        "users": ["admin"],
        "roles": ["Admin"],
    }


@pytest.mark.parametrize("single", ["connection", "variable", "pool", "user", "role"])
def test_a_module_for_one_object_makes_and_deletes_it(airflow, run, single):
    plural = f"{single}s"
    run(roles=DECLARED["roles"])
    entry = DECLARED[plural][0] if single != "variable" else {"key": "k", "value": [1]}
    name = next(iter(entry.values()))
    if single != "role":
        assert done(run(single, **entry)) == [("created", single, name)]
    assert name in airflow.has[plural]
    key = next(iter(entry))
    assert done(run(single, state="absent", **{key: name})) == [("deleted", single, name)]
    assert done(run(single, state="absent", **{key: name})) == []
    assert name not in airflow.has[plural]


def test_what_is_wrong_is_reported_together_before_anything_is_written(airflow, run):
    users = [{**DECLARED["users"][0], "roles": ["sale", "Admin"]}]
    roles = [{"name": "sales", "permissions": {"DAG": ["can_read"]}}, {"name": "b", "permissions": {"DAGs": ["can"]}}]
    said = run(users=users, roles=roles, pools=DECLARED["pools"])["msg"]
    assert "FD265 user jane: found the role sale" in said
    assert "Did you mean sales?" in said
    assert "FD266 role sales: found the resource DAG" in said
    assert "FD266 role b: found the action can" in said
    said = run(pools=[{"name": "a", "slots": -5}], connections=[{"conn_id": "x"}])["msg"]
    assert "pools.a.slots: found -5" in said
    assert "connections.x.conn_type: found no value" in said
    assert airflow.requests == []


def test_another_auth_manager_keeps_users_elsewhere(airflow, run):
    airflow.fab = False
    assert run(users=DECLARED["users"])["msg"].startswith("FD267 users: found an Airflow without")
    assert done(run(pools=DECLARED["pools"])) != []


def test_a_release_that_takes_no_permission_away_is_reported(airflow, run):
    run(roles=[{"name": "sales", "permissions": {"DAGs": ["can_read"]}}])
    airflow.has["roles"]["Admin"]["actions"].append(permission("can_read", "Pools"))
    airflow.revokes = False
    said = run(roles=[{"name": "sales", "permissions": {"Pools": ["can_read"]}}])["msg"]
    assert said.startswith("FD268 role sales: found can_read on DAGs")


def test_what_airflow_refuses_is_named(airflow, run):
    if airflow.major >= 3:
        said = run(connections=[{"conn_id": "a", "conn_type": "http", "host": "refused"}])["msg"]
        assert said.startswith("FD268 connections a: found an answer of Airflow that refuses it (no)")


def test_no_answer_and_a_wrong_login_say_what_to_look_at(run):
    assert run(pools=DECLARED["pools"], api_password="wrong")["msg"].startswith("FD269 http://127")
    assert "no answer" in run(pools=DECLARED["pools"], url="http://127.0.0.1:1")["msg"]
    # A check of a deployment that is about to change the password.
    assert done(run(check=True, must_answer=False, pools=DECLARED["pools"], api_password="wrong")) == []


def test_a_connection_that_loses_its_password_is_created_again(airflow, run):
    """The API changes a password and never takes it away."""
    run(**DECLARED)
    airflow.requests.clear()
    result = run("connection", conn_id="warehouse", conn_type="postgres", host="db", update_secrets="on_create")
    if airflow.major >= 3:
        assert done(result) == [("updated", "connection", "warehouse")]
        assert not airflow.has["connections"]["warehouse"].get("password")
    else:
        # Airflow 2 does not say that there is one.
        assert done(result) == []


def test_the_metastore_shows_what_the_api_masks(run, monkeypatch):
    run(**DECLARED)
    stored = _object_store.Metastore(
        {"warehouse": ("hunter2-hunter2", ""), "lake": ("", '{"region_name": "eu"}')},
        {"regions": '{"emea": ["de"]}', "a secret": "hunter2-hunter2"},
        {},
    )
    monkeypatch.setattr(stored, "knows", lambda user, password: (user, password) == ("jane", "jane's passw0rd"), False)
    module = "ansible_collections.flightdeck.airflow.plugins.module_utils._object_module.metastore"
    monkeypatch.setattr(module, lambda _url, _keys: stored)
    with_database = {"metastore_url": "postgresql://db", "fernet_key": KEY}
    assert done(run(**with_database, **DECLARED)) == []
    stored.connections["warehouse"] = ("older-password", "")
    assert done(run(**with_database, **DECLARED)) == [("updated", "connection", "warehouse")]
