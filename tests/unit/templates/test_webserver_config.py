"""webserver_config.py is Python that says what the inventory says, with whatever stands there."""

from __future__ import annotations

import ast

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import versions
from test_golden import render, variables

AWKWARD = "a\"b'c\\d{#}%\u00e9\U0001f600"
LOGINS = {
    "database": {},
    "ldap": {
        "airflow_ldap_uri": "ldaps://ldap.example.org",
        "airflow_ldap_bind_dn": f"cn={AWKWARD}",
        "airflow_ldap_search_base": f"ou={AWKWARD}",
        "airflow_login_roles": {f"cn={AWKWARD}": ["Op", AWKWARD]},
    },
    "openid": {
        "airflow_openid_issuer": "https://login.example.org/realms/a/",
        "airflow_openid_client_id": AWKWARD,
        "airflow_openid_groups_claim": AWKWARD,
        "airflow_login_roles": {AWKWARD: "Op"},
    },
}


def assigned(text):
    """Names and values of the settings that are literals."""
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


@pytest.mark.parametrize("version", versions.TESTED_VERSIONS)
@pytest.mark.parametrize("kind", LOGINS)
def test_it_is_python_with_the_values_of_the_inventory(kind, version):
    values = variables(version, "master1", airflow_login=kind, **LOGINS[kind])
    text = render("{{ __airflow_webserver_config }}", values)
    found = assigned(text)
    assert "AUTH_TYPE" in text
    if kind == "ldap":
        assert found["AUTH_LDAP_BIND_USER"] == f"cn={AWKWARD}"
        assert found["AUTH_LDAP_SEARCH"] == f"ou={AWKWARD}"
        assert found["AUTH_ROLES_MAPPING"] == {f"cn={AWKWARD}": ["Op", AWKWARD]}
        assert found["AUTH_LDAP_TLS_DEMAND"] is True
    if kind == "openid":
        assert found["AUTH_ROLES_MAPPING"] == {AWKWARD: ["Op"]}
        assert '"https://login.example.org/realms/a/.well-known/openid-configuration"' in text
        assert text.count(AWKWARD.replace("\\", "\\\\").replace('"', '\\"')) == 3


def test_a_host_without_a_webserver_has_none():
    assert render("{{ __airflow_webserver_config }}", variables("3.3.2", "worker1")) == ""
    assert render("{{ __airflow_login_files }}", variables("3.3.2", "worker1")) == []
