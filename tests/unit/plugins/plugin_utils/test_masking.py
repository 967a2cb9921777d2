"""What a support bundle must not have."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import masking
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.variables import settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import of_login

AWKWARD = "p@:/?#%&'\" $\\ üñ€"


@pytest.mark.parametrize(
    "written",
    [
        AWKWARD,
        quote(AWKWARD, safe=""),
        quote(AWKWARD),
        quote_plus(AWKWARD),
        json.dumps(AWKWARD)[1:-1],
        json.dumps(AWKWARD, ensure_ascii=False)[1:-1],
        repr(AWKWARD)[1:-1],
        AWKWARD.replace("'", "''"),
        AWKWARD.replace("%", "%%"),
        base64.b64encode(AWKWARD.encode()).decode(),
    ],
)
def test_a_known_secret_in_every_spelling(written: str) -> None:
    hidden = masking.Mask({"broker_password": AWKWARD}).hide(f"before {written} after")
    assert hidden == "before <hidden: broker_password> after"


def test_the_longest_secret_is_hidden_first() -> None:
    assert masking.Mask({"a": "secret", "b": "secretive"}).hide("secretive secret") == "<hidden: b> <hidden: a>"


def test_the_password_in_a_url_and_its_words() -> None:
    mask = masking.Mask({"metastore_url": "postgresql://app:p%40ss-word@db/airflow"})
    assert mask.hide("login app with p@ss-word") == "login app with <hidden: metastore_url>"
    assert mask.hide("p%40ss-word") == "<hidden: metastore_url>"


def test_lines_of_a_key() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nAQEFAASCBKcwggSjAgEAAoI\n-----END PRIVATE KEY-----\n"
    assert "MIIE" not in masking.Mask({"key": key}).hide("log: MIIEvQIBADANBgkqhkiG9w0")
    # Also of a key that the controller does not know.
    assert masking.Mask({}).hide(f"a\n{key}b") == "a\n<hidden: a private key>\nb"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("amqp://airflow:unknown@mq1:5672", "amqp://airflow:<hidden: a password>@mq1:5672"),
        ("password = unknown", "password = <hidden: by its name>"),
        ('{"api_token": "unknown"}', '{"api_token": "<hidden: by its name>"}'),
        ("sql_alchemy_conn_cmd = cat /etc/airflow/secrets/sql_alchemy_conn",) * 2,
        ("http://127.0.0.1:8080/health",) * 2,
    ],
)
def test_what_has_the_form_of_a_secret(text: str, hidden: str) -> None:
    assert masking.Mask({}).hide(text) == hidden


def test_secrets_of_the_cluster() -> None:
    cluster = {"nodes": {"m1": {"metastore": {"extra_users": [{"user": "lease_m1", "secret": "s", "derived": True}]}}}}
    certificates = {"ca": "public", "hosts": {"m1": {"certificate": "public", "key": "-----BEGIN PRIVATE KEY-----\nx"}}}
    secrets = {"s": "the first one", "fernet_key": "new-key,old-key", "alternate_users": [], "metastore_ca": "public"}
    found = masking.of_cluster(cluster, secrets, certificates)
    assert set(found.values()) == {
        "the first one",
        "new-key,old-key",
        "new-key",
        "old-key",
        of_login("the first one", "lease_m1"),
        certificates["hosts"]["m1"]["key"],  # type: ignore[index]
    }


def test_secrets_of_the_inventory() -> None:
    variables = {
        "airflow_connections": {"web": {"conn_type": "http", "host": "example.org", "password": "hidden one"}},
        "airflow_secret_environment": {"common": {"WHATEVER": "hidden two"}},
        "airflow_ldap_bind_password": "hidden three",
        "airflow_log_dir": "/var/log/airflow",
    }
    found = masking.of_inventory(variables, settings())
    assert set(found.values()) == {"hidden one", "hidden two", "hidden three"}
