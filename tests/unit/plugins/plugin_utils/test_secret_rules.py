"""Given secrets: the bad ones are refused, those that the collection makes never are, and none is ever shown."""

from __future__ import annotations

import base64
import os

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import secrets as secrets_catalog
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import secrets as secrets_controller
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import report
from hypothesis import given
from hypothesis import strategies as st

KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()


def codes(**values):
    problems = secrets.check_secrets(values, {"admin_password": "jane.doe"})
    for value in values.values():
        assert len(value) < 8 or value not in report(problems)
    return [problem.code for problem in problems]


def test_what_the_collection_makes_is_good():
    for _ in range(50):
        assert secrets.check_secrets(secrets_controller.missing({}), {"admin_password": "admin"}) == []


@pytest.mark.parametrize(
    "value",
    [
        *(
            "airflow",
            "guest",
            "admin",
            "changeme",
            "change-me-please",
            "Airflow123",
            "password1234!",
            "AdminAdmin2024",
            "123456789012",
        ),
        *("aaaaaaaaaaaaaaaa", "abababababababab", "rep-pass", "airflow-postgres-password"),
    ],
)
def test_known_and_simple_passwords(value):
    assert codes(metastore_password=value) == ["FD146"]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("broker_password", "Airflow", "FD146"),
        ("admin_password", "Jane.Doe", "FD146"),
        ("broker_password", "tr0ub4dor&3", "FD144"),
        ("broker_password", "correct horse battery staple", None),
        # Characters, not bytes.
        ("broker_password", "äöüßäöx", "FD144"),
        ("broker_password", "äöüßéàêñçøåæ", None),
        ("broker_password", "Ab3!", "FD144"),
        ("broker_password", "p@:/?#%&'\" $\\ üñ€", None),
        ("broker_password", "two\nlines of a password", "FD143"),
        ("broker_password", "nul\0in a long password", "FD143"),
        ("broker_password", "tab\tin a long password", "FD143"),
        ("broker_password", "correct horse " * 20, "FD144"),
        ("api_secret_key", "abcdefghijklmnop", "FD144"),
        ("jwt_secret", "abcdefghijklmnopqrstuvwxyz0123456789", "FD144"),
        ("digest_key", "abcdefgh", "FD144"),
        ("fernet_key", KEY, None),
        ("fernet_key", f"{KEY},{KEY[::-1][1:]}=", None),
        ("fernet_key", KEY[:-1], "FD141"),
        ("fernet_key", base64.urlsafe_b64encode(b"x" * 24).decode(), "FD141"),
        ("fernet_key", f"{KEY}, {KEY}", "FD141"),
        ("fernet_key", f"{KEY},", "FD141"),
        ("fernet_key", "+" + KEY[1:], "FD141"),
        ("fernet_key", KEY + "\n", "FD143"),
        ("rabbitmq_cookie", "ABCDEFGHIJKLMNOPQRST", "FD142"),
        ("rabbitmq_cookie", "ABCDEFGHIJKLMNOPQRSTU", None),
        ("rabbitmq_cookie", "short", "FD142"),
        ("rabbitmq_cookie", "with a space in the cookie", "FD142"),
        ("rabbitmq_cookie", "é" * 30, "FD142"),
        ("rabbitmq_cookie", "x" * 256, "FD142"),
    ],
)
def test_each_secret_has_its_own_rule(name, value, code):
    assert codes(**{name: value}) == ([code] if code else [])


def test_what_would_end_a_password_where_it_is_used_is_refused():
    for secret in secrets_catalog.SECRETS:
        for character in secret.without:
            assert codes(**{secret.name: f"correct{character}horse battery staple"}) == ["FD143"]


def test_the_place_of_a_bad_fernet_key_is_reported():
    (problem,) = secrets.check_secrets({"fernet_key": f"{KEY},bad,{KEY}"}, {"admin_password": "admin"})
    assert "in place 2 of 3" in problem.found


def test_two_secrets_are_never_the_same():
    value = "correct horse battery staple"
    assert codes(metastore_password=value, result_backend_password=value) == ["FD145"]


@given(st.binary(min_size=32, max_size=32))
def test_every_fernet_key_passes(raw):
    assert codes(fernet_key=base64.urlsafe_b64encode(raw).decode()) == []


@given(st.sampled_from(sorted(secrets_catalog.GENERATED)), st.text(min_size=8))
def test_no_message_holds_the_value(name, value):
    problems = secrets.check_secrets({name: value + os.urandom(6).hex()}, {"admin_password": "admin"})
    assert value not in report(problems) or len(value.strip()) < 8 or value in "characters expected found"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("airflow_admin_password: hunter2", ["airflow_admin_password"]),
        ("all: {vars: {airflow_admin_password: hunter2}}", ["airflow_admin_password"]),
        ("db1 airflow_metastore_password=hunter2 ansible_host=192.0.2.1", ["airflow_metastore_password"]),
        ('"airflow_fernet_key": "x"', ["airflow_fernet_key"]),
        ("airflow_admin_password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162", []),
        ("airflow_admin_password: \"{{ lookup('env', 'X') }}\"", []),
        ("airflow_admin_password: '{{ vault_x }}'", []),
        ("airflow_broker_url: >-\n  {{ vault_x }}\nairflow_admin_user: me", []),
        ("airflow_admin_password: |\n    hunter2\n", ["airflow_admin_password"]),
        ("airflow_broker_url: amqps://u:hunter2@mq.example.org/team", ["airflow_broker_url"]),
        ("airflow_broker_url: 'amqps://u:{{ vault_x }}@mq.example.org/team'", []),
        ("# airflow_admin_password: hunter2", []),
        ("airflow_admin_password:", []),
        ("airflow_admin_password: # later", []),
        ("airflow_admin_user: me", []),
        ("my_airflow_admin_password: x", []),
        ("$ANSIBLE_VAULT;1.1;AES256\nairflow_admin_password: x", []),
        ("airflow_admin_password: ENC[AES256_GCM,data:x,type:str]", []),
    ],
)
def test_secrets_in_clear_are_found_in_text(text, names):
    assert secrets.plain_secrets(text) == names


def test_the_warning_names_files_and_variables():
    warning = secrets.plain_warning({"a.yml": ["airflow_admin_password"], "b.yml": []})
    assert warning.startswith("FD149 secrets in clear: airflow_admin_password in a.yml. ")
    assert secrets.plain_warning({"b.yml": []}) is None
