"""How people log in: what may be chosen, and what webserver_config.py says then."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible_collections.flightdeck.airflow.plugins.module_utils import _login
from ansible_collections.flightdeck.airflow.plugins.modules import webserver_config
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._api.access import cluster_api
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import files
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Node
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.login import MANAGERS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.survey import wanted
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import login, packages
from test_cluster import codes, defaults, plain, reference
from test_preflight import cluster

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs/login.md").read_text(encoding="utf-8")
LDAP = {
    "airflow_login": "ldap",
    "airflow_ldap_uri": "ldaps://ldap.example.org",
    "airflow_ldap_bind_dn": "cn=airflow",
    "airflow_ldap_bind_password": "x",
    "airflow_ldap_search_base": "dc=example",
}
OPENID = {
    "airflow_login": "openid",
    "airflow_openid_issuer": "https://login.example.org",
    "airflow_openid_client_id": "airflow",
    "airflow_openid_client_secret": "x",
}
FAB_CLASS, SIMPLE_CLASS = MANAGERS["fab"], MANAGERS["simple"]
KINDS = {"AUTH_DB": 1, "AUTH_LDAP": 2, "AUTH_REMOTE_USER": 3, "AUTH_OAUTH": 4}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        (LDAP, []),
        (OPENID, []),
        ({**LDAP, "airflow_ldap_uri": "ldap://a ldap://b:1389", "airflow_ldap_start_tls": True}, []),
        ({**LDAP, "airflow_ldap_uri": "ldap://a"}, ["FD311"]),
        ({**LDAP, "airflow_ldap_uri": "ldaps://a ldap://b"}, ["FD311"]),
        ({**LDAP, "airflow_ldap_start_tls": True}, ["FD311"]),
        ({**LDAP, "airflow_ldap_uri": "ldaps://a/dc=example"}, ["FD311"]),
        ({**LDAP, "airflow_ldap_uri": ""}, ["FD310"]),
        ({**LDAP, "airflow_ldap_bind_password": ""}, ["FD310"]),
        ({**LDAP, "airflow_ldap_bind_dn": "", "airflow_ldap_bind_password": ""}, ["FD310"]),
        ({**LDAP, "airflow_ldap_username_format": "uid=%s"}, ["FD310"]),
        (
            {
                **LDAP,
                "airflow_ldap_bind_dn": "",
                "airflow_ldap_bind_password": "",
                "airflow_ldap_username_format": "uid=%s",
            },
            [],
        ),
        ({**LDAP, "airflow_ldap_search_filter": "uid=a"}, ["FD311"]),
        ({**LDAP, "airflow_ldap_user_attribute": "u i d"}, ["FD311"]),
        ({**LDAP, "airflow_login_ca": "/etc/ca.crt"}, ["FD311"]),
        ({**LDAP, "airflow_login_roles": {"a": ["Admin", "admin"]}}, ["FD313"]),
        ({**LDAP, "airflow_login_roles": {"a": [], "b": {"c": "d"}}}, ["FD311"]),
        ({**LDAP, "airflow_login_roles": {"a": "own role"}}, []),
        ({**OPENID, "airflow_openid_issuer": "http://login.example.org"}, ["FD311"]),
        ({**OPENID, "airflow_openid_scopes": ["profile"]}, ["FD311"]),
        ({**OPENID, "airflow_openid_scopes": ["openid", "a b"]}, ["FD311"]),
        ({**OPENID, "airflow_openid_name": "my provider"}, ["FD311"]),
        ({**OPENID, "airflow_openid_client_secret": ""}, ["FD310"]),
        ({**OPENID, "airflow_ldap_uri": "ldaps://a"}, ["FD312"]),
        ({**OPENID, "airflow_ldap_bind_password": "x"}, ["FD312"]),
        ({"airflow_login_roles": {"a": "Op"}}, ["FD312"]),
        ({"airflow_webserver_config_file": "/a", "airflow_ldap_bind_password": "x"}, []),
        ({"airflow_webserver_config_file": "/a", "airflow_login": "ldap", "airflow_ldap_uri": "ldaps://a"}, ["FD312"]),
    ],
)
def test_what_goes_together(changes, found):
    assert sorted(set(codes(reference(), **changes))) == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("A = 1\n", ""),
        ("A = {{ broken }}\n", "a template that fails"),
        ("A = 1\nB = = 2\n", "line 2 is no Python"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_of_the_users(tmp_path, text, says):
    path = tmp_path / "webserver_config.py.j2"
    if text is not None:
        path.write_text(text)

    def rendered(template):
        if "{{" in template:
            raise ValueError("'broken' is undefined")
        return template

    found = login.check_file(str(path), rendered)
    assert [problem.code for problem in found] == (["FD314"] if says else [])
    assert says in "".join(map(str, found))


def test_only_webservers_know_how_people_log_in():
    model = plain(reference(), defaults(**LDAP, airflow_login_ca="theirs"))
    nodes = {name: node["airflow"] for name, node in model["nodes"].items() if "airflow" in node}
    own = {"ldap_bind_password", "login_ca.crt"}
    for name, node in nodes.items():
        files = {secret["file"] for secret in node["secrets"]}
        webserver = "webserver" in model["nodes"][name]["components"]
        assert ("login" in node) == webserver
        assert own & files == (own if webserver else set())
        assert ("config_file" in node["config"].get("fab", {})) == webserver
    assert "hunter2" not in str(plain(reference(), defaults(**{**LDAP, "airflow_ldap_bind_password": "hunter2"})))


def test_the_administrator_is_no_account_of_a_directory():
    def searched(**changes):
        model = plain(reference(), defaults(**LDAP, **changes))
        return next(n["airflow"]["login"]["ldap"]["search_filter"] for n in model["nodes"].values() if "airflow" in n)

    assert searched() == "(!(uid=admin))"
    assert searched(airflow_ldap_search_filter="(a=b)", airflow_admin_user="root") == "(&(a=b)(!(uid=root)))"


def test_the_client_for_ldap_is_a_package_of_the_host():
    assert "python3-ldap" in wanted(cluster(**LDAP), "node1").packages
    assert "python3-ldap" not in wanted(cluster(**OPENID), "node1").packages


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"AUTH_TYPE": 1, "AUTH_ROLES_MAPPING": {"a": ["Op"]}}, ""),
        ({"AUTH_TYPE": 9}, "another AUTH_TYPE"),
        ({"AUTH_ROLE_MAPPING": {}}, "Did you mean AUTH_ROLES_MAPPING"),
        ({"AUTH_ROLES_MAPPING": {"a": "Op"}}, "lists of roles"),
        ({"AUTH_TYPE": 2}, "no AUTH_LDAP_SERVER"),
        ({"AUTH_TYPE": 4}, "no OAUTH_PROVIDERS"),
        ({"AUTH_TYPE": 4, "OAUTH_PROVIDERS": [{"name": "a"}]}, "without them"),
        ({"SECURITY_MANAGER_CLASS": dict}, "FabAirflowSecurityManagerOverride"),
    ],
)
def test_what_a_file_may_say(settings, says):
    known = {"AUTH_TYPE", "AUTH_ROLES_MAPPING", "OAUTH_PROVIDERS", "AUTH_LDAP_SERVER"}
    found = _login.check(settings, known, KINDS)
    assert says in "".join(found)
    assert bool(found) == bool(says)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("A = 1\nb = 2\n", ""),
        ("A = 1\nB = Bad\n", "NameError in line 2: name 'Bad' is not defined"),
        ("A = (\n", "SyntaxError in line 1"),
        ("raise ValueError('hunter2')\n", "ValueError in line 1"),
        ("import sys\nsys.exit(0)\n", "SystemExit in line 2"),
    ],
)
def test_a_file_runs(tmp_path, text, says):
    path = tmp_path / "webserver_config.py"
    path.write_text(text)
    found, problems = _login.load(path)
    assert found == ({} if says else {"A": 1})
    assert says in "".join(problems)
    assert bool(problems) == bool(says)
    assert "hunter2" not in "".join(problems)


def test_what_the_host_has_is_not_checked_again(tmp_path):
    (tmp_path / "config.py").write_text("A = 1\n")
    (tmp_path / "secret").write_text("s")

    def is_there(content, **secrets):
        return webserver_config.is_there(tmp_path / "config.py", content, secrets, str(tmp_path))

    assert is_there("A = 1\n", secret="s")
    assert not is_there("A = 2\n", secret="s")
    assert not is_there("A = 1\n", secret="t")
    assert not is_there("A = 1\n", other="s")


def test_examples_of_the_page_are_deployed():
    """By the scenario custom, first the directory and then the provider."""
    blocks = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)]
    folder = ROOT / "molecule/custom"
    for block, path in zip(blocks, ("inventory/group_vars/all/login.yml", "changes/login.yml"), strict=False):
        deployed = yaml.safe_load((folder / path).read_text())
        assert block == {name: deployed[name] for name in block}


def test_claims_below_others():
    sys.modules.pop("provider", None)
    text = (ROOT / "roles/airflow/templates/etc/airflow/webserver_config.py.j2").read_text()
    source = text[text.index("def claim(") : text.index("class SecurityManager")]
    found = types.ModuleType("provider")
    exec(source, found.__dict__)
    claims = {"a.b": 1, "c": {"d": {"e": 2}}, "f": "g"}
    assert [found.claim(claims, name) for name in ("a.b", "c.d.e", "f", "f.g", "x")] == [1, 2, "g", None, None]


SIMPLE = {"airflow_auth_manager": "simple", "airflow_allow_simple_auth_manager": True}
KEYCLOAK = "airflow.providers.keycloak.auth_manager.keycloak_auth_manager.KeycloakAuthManager"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (SIMPLE, []),
        ({"airflow_auth_manager": "simple"}, ["FD318"]),
        ({"airflow_auth_manager": SIMPLE_CLASS}, ["FD318"]),
        ({"airflow_auth_manager": FAB_CLASS, **LDAP}, []),
        ({"airflow_auth_manager": KEYCLOAK}, []),
        ({"airflow_auth_manager": "fob"}, ["FD319"]),
        ({"airflow_auth_manager": "a b.c"}, ["FD319"]),
        ({**SIMPLE, **LDAP}, ["FD319"]),
        ({**SIMPLE, "airflow_webserver_config_file": "/srv/webserver_config.py"}, ["FD319"]),
        ({**SIMPLE, "airflow_version": "2.11.2"}, ["FD319"]),
    ],
)
def test_auth_managers(changes, found):
    assert [problem.code for problem in login.check(defaults(**changes))] == found


def test_the_class_of_another_auth_manager_has_to_be_in_the_release():
    assert login.given(defaults()) == login.given(defaults(**SIMPLE)) == []
    (problem,) = packages.check(login.given(defaults(airflow_auth_manager=KEYCLOAK)), ())
    assert (problem.code, problem.where) == ("FD173", "airflow_auth_manager")
    assert "apache-airflow-providers-keycloak" in problem.remedy


def test_what_the_simple_auth_manager_reads():
    model = plain(reference(), defaults(**SIMPLE))
    assert model["auth_manager"] == "simple"
    core = model["nodes"]["master1"]["airflow"]["config"]["core"]
    path = "/var/lib/airflow/simple_auth_manager_passwords.json"
    assert (core["auth_manager"], core["simple_auth_manager_users"]) == (SIMPLE_CLASS, "admin:admin")
    assert core["simple_auth_manager_passwords_file"] == path
    assert model["nodes"]["master1"]["airflow"]["login"]["passwords_file"] == path
    assert path in files.paths(Node.from_vars(model["nodes"]["master1"]).airflow)


def test_another_one_is_named_by_its_class():
    model = plain(reference(), defaults(airflow_auth_manager=KEYCLOAK))
    assert model["auth_manager"] == "other"
    core = model["nodes"]["master1"]["airflow"]["config"]["core"]
    assert core["auth_manager"] == KEYCLOAK
    assert "simple_auth_manager_users" not in core


def test_a_playbook_that_cannot_log_in_says_so():
    variables = {
        "airflow_cluster": {
            "auth_manager": "other",
            "url": "https://a",
            "admin_user": "admin",
            "verify_timeout_seconds": 1,
            "version": {"major": 3},
        },
        "airflow_secrets": {"admin_password": "x"},
        "airflow_certificates": {},
    }
    with pytest.raises(AnsibleActionFail, match="give it with -e airflow_api_token"):
        cluster_api(variables, 1)
    assert cluster_api({**variables, "airflow_api_token": "token"}, 1).user == "admin"
