"""Digests change exactly when a component's process must restart; sizes follow from the host; releases are named by
content."""

from __future__ import annotations

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import services
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import airflow
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import Secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import PlainValue, Queue, Unit
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host, queues_of
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import digests as digests_render
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import secrets as secrets_render
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import worker_units

CONFIG = {
    "core": {"executor": "CeleryExecutor"},
    "api": {"port": 8081},
    "celery": {"operation_timeout": 20},
    "custom": {"x": 1},
}
VERSIONS = {"broker_url": "1", "jwt_secret": "1", "sql_alchemy_conn": "1"}


def digests(config=CONFIG, versions=VERSIONS, release="r1"):
    return {
        component: digests_render.component_digest(component, 3, config, versions, release)
        for component in services.COMPONENTS
    }


def changed(**arguments):
    before, after = digests(), digests(**arguments)
    # Of every cluster: an optional component reads sections that its entry names.
    return [each for each in services.COMPONENTS if each not in services.OPTIONAL and before[each] != after[each]]


ALL = [each for each in services.COMPONENTS if each not in services.OPTIONAL]


@pytest.mark.parametrize(
    ("arguments", "restarts"),
    [
        ({}, []),
        ({"config": {**CONFIG, "operators": {"default_owner": "x"}}}, ["scheduler", "dag_processor", "worker"]),
        ({"config": {**CONFIG, "celery": {"operation_timeout": 30}}}, ["scheduler", "worker"]),
        ({"config": {**CONFIG, "core": {"executor": "x"}}}, ALL),
        ({"config": {**CONFIG, "custom": {"x": 2}}}, ALL),
        ({"versions": {**VERSIONS, "jwt_secret": "2"}}, ["webserver", "scheduler"]),
        ({"versions": {**VERSIONS, "broker_url": "2"}}, ["scheduler", "worker"]),
        (
            {"versions": {**VERSIONS, "sql_alchemy_conn": "2"}},
            [each for each in ALL if "sql_alchemy_conn" in services.COMPONENT[each].secrets[3]],
        ),
        ({"release": "r2"}, ALL),
    ],
)
def test_only_readers_restart(arguments, restarts):
    assert changed(**arguments) == restarts


def test_a_service_sees_its_own_secrets():
    files = ["broker_url", "ca.crt", "fernet_key", "jwt_secret"]
    hidden = "/etc/airflow/nothing:/s/"
    assert airflow.secret_mounts("worker", 3, files, "/s") == [
        "/s/broker_url",
        "/s/ca.crt",
        f"{hidden}fernet_key",
        f"{hidden}jwt_secret",
    ]


def test_a_fingerprint_says_nothing_without_its_key():
    assert digests_render.fingerprint("secret", "key") == digests_render.fingerprint("secret", "key")
    assert digests_render.fingerprint("secret", "key") != digests_render.fingerprint("secret", "other")
    assert digests_render.fingerprint("secret", "key") != digests_render.fingerprint("secret2", "key")


def test_generated_secrets_fit_their_use():
    made = secrets.missing({})
    assert len(made["jwt_secret"].encode()) >= 64
    assert 20 < len(made["rabbitmq_cookie"]) <= 255
    assert made["fernet_key"] != secrets.missing({})["fernet_key"]
    assert "admin_password" not in secrets.missing({"admin_password": "mine"})


def test_secret_files_end_without_a_newline():
    files = secrets_render.secret_files(
        [PlainValue(file="fernet_key", secret="fernet_key")], Secrets({"fernet_key": "k"}), "airflow"
    )
    assert files == [{"path": "/etc/airflow/secrets/fernet_key", "content": "k", "group": "airflow", "mode": "0640"}]


@pytest.mark.parametrize(
    ("vcpus", "memory", "workers", "slots"),
    [(2, 24000, 1, 8), (16, 64000, 1, 16), (4, 2048, 1, 3), (1, 512, 1, 1), (8, 16000, 2, 16)],
)
def test_concurrency_fits_the_host(vcpus, memory, workers, slots):
    assert worker_units.worker_concurrency(vcpus, memory, workers) == slots


def test_one_worker_service_per_queue_and_one_log_server():
    queues = [Queue(name="default"), Queue(name="gpu", concurrency=1)]
    first, second = worker_units.worker_instances(queues, 3, "192.0.2.1", 8, remote_control=True)
    assert first["name"] == "airflow-worker@default"
    assert "--concurrency 8" in first["command"]
    assert "--skip-serve-logs" not in first["command"]
    assert "--queues gpu" in second["command"]
    assert "--concurrency 1" in second["command"]
    assert "--skip-serve-logs" in second["command"]
    assert "--celery-hostname gpu@192.0.2.1" in second["command"]
    (silent,) = worker_units.worker_instances(queues[:1], 3, "192.0.2.1", 8, remote_control=False)
    assert "--celery-hostname" not in silent["command"]


def test_a_release_is_named_by_everything_that_it_is_made_of():
    name = digests_render.release_id("3.3.2", "3.11", "lock", "uv", [])
    assert name.startswith("3.3.2-")
    assert name.endswith("-py3.11")
    others = [
        ("3.3.2", "3.13", "lock", "uv", []),
        ("3.3.2", "3.11", "lock2", "uv", []),
        ("3.3.2", "3.11", "lock", "uv", ["x==1"]),
    ]
    assert len({name, *(digests_render.release_id(*other) for other in others)}) == 4


def test_a_component_has_units_of_two_versions():
    assert airflow.unit_patterns("webserver") == ["airflow-api-server.service", "airflow-webserver.service"]
    assert airflow.unit_patterns("worker") == ["airflow-worker@*.service"]


def test_units_of_a_host():
    host = Host("a", frozenset({"worker", "webserver"}), "192.0.2.1", queues_of(["default", "gpu"]))
    assert airflow.units("webserver", host, 3, "http://a") == (
        Unit(label="webserver", unit="airflow-api-server", probe="http://a"),
    )
    assert airflow.units("webserver", host, 2, None) == (Unit(label="webserver", unit="airflow-webserver"),)
    assert airflow.units("worker", host, 3, None) == (
        Unit(label="worker default", unit="airflow-worker@default"),
        Unit(label="worker gpu", unit="airflow-worker@gpu"),
    )
