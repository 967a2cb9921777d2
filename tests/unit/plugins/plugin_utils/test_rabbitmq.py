"""RabbitMQ's definitions and cookie."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import secrets as secrets_catalog
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import services
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import cluster
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import Secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import rabbitmq
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import secrets
from test_cluster import defaults, host, reference

HOSTILE = "p@:/?#%&'\" $\\ü"
NODE = cluster.build(reference(), defaults()).nodes["mq1"].rabbitmq
SECRETS = {"broker_password": HOSTILE, "rabbitmq_admin_password": "other", "digest_key": "key"}


def test_password_hash_is_what_rabbitmq_checks() -> None:
    stored = base64.b64decode(rabbitmq.password_hash("airflow", HOSTILE, "key"))
    assert stored[4:] == hashlib.sha256(stored[:4] + HOSTILE.encode()).digest()


def test_password_hash_is_stable_and_salted() -> None:
    one = rabbitmq.password_hash("airflow", "x", "key")
    assert one == rabbitmq.password_hash("airflow", "x", "key")
    assert (
        len({one, rabbitmq.password_hash("admin", "x", "key"), rabbitmq.password_hash("airflow", "x", "other key")})
        == 3
    )


def test_definitions() -> None:
    text = rabbitmq.definitions(NODE, Secrets(SECRETS))
    document = json.loads(text)
    assert text == rabbitmq.definitions(NODE, Secrets(dict(reversed(SECRETS.items()))))
    assert HOSTILE not in text
    assert [user["name"] for user in document["users"]] == ["airflow", "admin"]
    assert document["users"][0]["tags"] == []
    assert document["vhosts"][0]["default_queue_type"] == "quorum"
    assert document["policies"][0]["definition"] == {"delivery-limit": 50, "message-ttl": 600000}
    assert {permission["vhost"] for permission in document["permissions"]} == {"airflow"}


@pytest.mark.parametrize(
    ("queue", "has"), [("default", True), ("celery_delayed_27", False), ("default@10.0.0.1.celery.pidbox", True)]
)
def test_messages_that_celery_keeps_for_later_live_as_long_as_it_wants(queue: str, has: bool) -> None:
    (policy,) = json.loads(rabbitmq.definitions(NODE, Secrets(SECRETS)))["policies"]
    assert bool(re.search(policy["pattern"], queue)) == has


def test_the_account_of_a_component_is_of_no_use_for_tasks():
    names = [
        "default",
        "gpu",
        "celery",
        "amq.default",
        "amq.topic",
        "celeryev",
        "celery.pidbox",
        "a@10.0.0.1.celery.pidbox",
        "celery_delayed_1",
    ]
    for component in services.BROKER_ACCOUNTS:
        hosts = [*reference(), host("more", 200, component)]
        node = cluster.build(hosts, defaults()).nodes["mq1"].rabbitmq
        document = json.loads(rabbitmq.definitions(node, Secrets({name: name for name in secrets_catalog.GENERATED})))
        user = services.BROKER_ACCOUNTS[component].user
        assert [each["tags"] for each in document["users"] if each["name"] == user] == [[]]
        (rights,) = (each for each in document["permissions"] if each["user"] == user)
        reached = {
            right: {name for name in names if re.search(rights[right], name)}
            for right in ("configure", "write", "read")
        }
        assert reached["write"] <= {"celery.pidbox"}
        assert reached["read"] <= {"celeryev"}
        assert reached["configure"] <= {"celeryev", "celery.pidbox"}


def test_messages_without_a_token_live_on() -> None:
    (policy,) = json.loads(rabbitmq.definitions(dataclasses.replace(NODE, message_ttl_seconds=None), Secrets(SECRETS)))[
        "policies"
    ]
    assert policy["definition"] == {"delivery-limit": 50}


def test_definitions_name_the_missing_secret() -> None:
    with pytest.raises(KeyError, match="broker_password"):
        rabbitmq.definitions(NODE, Secrets({"digest_key": "key"}))


@pytest.mark.parametrize(
    "value",
    ["short", "x" * 256, "with space xxxxxxxxxxxx", "ümlautxxxxxxxxxxxxxxxx", "ABCDEFGHIJKLMNOPQRST", "x" * 30 + "\n"],
)
def test_cookie_refuses(value: str) -> None:
    with pytest.raises(ValueError, match="rabbitmq_cookie"):
        secrets.cookie(value)


def test_cookie_keeps_special_characters() -> None:
    assert secrets.cookie("c@:/?#%&'\"$\\xxxxxxxxxxxx") == "c@:/?#%&'\"$\\xxxxxxxxxxxx"
