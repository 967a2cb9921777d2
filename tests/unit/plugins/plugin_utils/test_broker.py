"""Which broker a cluster has, what it needs, and what does not go together with it."""

from __future__ import annotations

import datetime
import json

import pytest
from ansible_collections.flightdeck.airflow.plugins.filter.components import secret_content
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import services, versions
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import certificates
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import broker as broker_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import cluster, merge, survey
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import Secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import airflow_cfg, redis
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import broker, inventory, rotation
from test_cluster import codes, defaults, host, plain, reference

SQS = {
    "airflow_broker": "sqs",
    "airflow_sqs_region": "eu-central-1",
    "airflow_sqs_queues": {"default": "https://sqs.eu-central-1.amazonaws.com/123456789012/airflow"},
    "airflow_max_task_seconds": 36000,
}
REDIS = {"airflow_broker": "redis"}
OTHER = {"airflow_broker_url": "amqps://us%40er:p%2Fw@mq.example.org:5671/team"}
CERTIFICATE = certificates.make_ca("other", datetime.datetime.now(datetime.UTC))["certificate"]


def without(group):
    return [one for one in reference() if group not in one.groups]


def with_redis():
    return [*without("rabbitmq"), host("store1", 150, "redis")]


def parts(hosts, name="worker1", **changes):
    """The model, the node's configuration, and the content of its URL."""
    model = plain(hosts, defaults(**changes))
    node = model["nodes"][name]["airflow"]
    # As the action has them: without those that are given and empty.
    given = {
        name: changes[f"airflow_{name}"]
        for name in ("broker_url", "sqs_secret_access_key")
        if f"airflow_{name}" in changes
    }
    values = {"broker_password": "p@ss/word", "digest_key": "k", **given}
    url = next(secret for secret in node["secrets"] if secret["file"] == "broker_url")
    return model, node, secret_content(url, values)


def test_a_group_that_the_cluster_cannot_have_is_refused():
    mysql = {"airflow_metastore_engine": "mysql", "airflow_metastore_url": "mysql://app:secret@db.example.org/airflow"}
    unmet = {
        "postgresql": (without("metastore"), mysql),
        "patroni": (reference(), {}),
        "metrics": (reference(), {}),
        "remote_control": (without("rabbitmq"), SQS),
        "repository_tls": (reference(), {"airflow_tls": False}),
        "tls": (reference(), {"airflow_tls": False}),
    }
    for service in services.SERVICES:
        for condition in service.needs:
            hosts, changes = unmet[condition]
            assert codes(hosts, **changes) == []
            assert codes([*hosts, host("more", 200, service.name)], **changes) == ["FD159"]


def test_a_component_has_its_own_account_of_a_managed_rabbitmq_only():
    for component, account in services.BROKER_ACCOUNTS.items():
        more = host("more", 200, component)
        for hosts, changes, own in (
            (reference(), {}, True),
            (with_redis(), REDIS, False),
            (without("rabbitmq"), OTHER, False),
        ):
            files = {
                each["file"]: each
                for each in plain([*hosts, more], defaults(**changes))["nodes"]["more"]["airflow"]["secrets"]
            }
            assert "broker_url" not in files
            assert (
                files[account.file].get("user") == account.user,
                files[account.file]["secret"] == account.secret,
            ) == (own, own)


def celery(node):
    return node["config"]["celery"], node["config"]["celery_broker_transport_options"]


@pytest.mark.parametrize(
    ("hosts", "changes"),
    [
        (with_redis(), REDIS),
        (with_redis(), {**REDIS, "airflow_tls": False, "airflow_firewall": True}),
        (without("rabbitmq"), OTHER),
        (without("rabbitmq"), {**OTHER, "airflow_broker_ca": CERTIFICATE}),
        (without("rabbitmq"), {**REDIS, "airflow_broker_url": "rediss://:secret@redis.example.org:6380/3"}),
        (without("rabbitmq"), SQS),
    ],
)
@pytest.mark.parametrize("version", versions.TESTED_VERSIONS)
def test_each_broker_makes_a_cluster(hosts, changes, version):
    settings = defaults(**changes, airflow_version=version)
    assert inventory.check(hosts, settings) == []
    assert broker.check_options(broker_model.config(settings, 600), settings, 600) == []
    model = cluster.build(hosts, settings)
    for name, node in model.nodes.items():
        assert survey.wanted(model, name).packages is not None
        if node.airflow:
            assert airflow_cfg.render_config(node.airflow.config)
    assert json.dumps(model.to_vars())


@pytest.mark.parametrize(
    ("hosts", "changes", "found"),
    [
        (without("rabbitmq"), {}, ["FD101"]),
        (without("rabbitmq"), REDIS, ["FD101"]),
        (reference(), REDIS, ["FD101", "FD159"]),
        (reference(), OTHER, ["FD159"]),
        (reference(), SQS, ["FD159"]),
        ([*reference(), host("store1", 150, "redis")], {}, ["FD159"]),
        (with_redis(), {**REDIS, "airflow_broker_url": "redis://redis.example.org"}, ["FD159"]),
        ([*with_redis(), host("store2", 151, "redis")], REDIS, ["FD102"]),
        (without("rabbitmq"), {"airflow_broker_url": "redis://redis.example.org"}, ["FD168"]),
        (without("rabbitmq"), {"airflow_broker_url": "amqps://user:pass word@mq.example.org"}, ["FD168"]),
        (without("rabbitmq"), {"airflow_broker_url": "amqps://"}, ["FD168"]),
        (without("rabbitmq"), {"airflow_broker_url": "amqp://mq.example.org/team"}, ["FD168"]),
        (without("rabbitmq"), {"airflow_broker_url": "amqps://guest:guest@mq.example.org/team"}, ["FD168"]),
        (without("rabbitmq"), {"airflow_broker_url": "amqps://u:p@mq.example.org/team?verify=verify_peer"}, ["FD168"]),
        (without("rabbitmq"), {"airflow_broker_url": "amqps://u:p;w@mq.example.org/team"}, ["FD168"]),
        (
            without("rabbitmq"),
            {**REDIS, "airflow_broker_url": "rediss://redis.example.org/0?ssl_cert_reqs=CERT_NONE"},
            ["FD168"],
        ),
        (without("rabbitmq"), {**REDIS, "airflow_broker_url": "redis://redis.example.org/airflow"}, ["FD168"]),
        (without("rabbitmq"), {**OTHER, "airflow_broker_ca": "/etc/ssl/ca.pem"}, ["FD168"]),
        (
            without("rabbitmq"),
            {"airflow_broker_url": "amqp://u:p@mq.example.org", "airflow_broker_ca": CERTIFICATE},
            ["FD159"],
        ),
        (reference(), {"airflow_broker_ca": CERTIFICATE}, ["FD159"]),
        (reference(), {"airflow_sqs_region": "eu-central-1"}, ["FD159"]),
        (without("rabbitmq"), {**SQS, "airflow_broker_url": "sqs://"}, ["FD159"]),
        (without("rabbitmq"), {**SQS, "airflow_sqs_region": ""}, ["FD168"]),
        (without("rabbitmq"), {**SQS, "airflow_sqs_queues": {}}, ["FD168"]),
        (without("rabbitmq"), {**SQS, "airflow_sqs_queues": {"default": "airflow"}}, ["FD168"]),
        (
            without("rabbitmq"),
            {**SQS, "airflow_sqs_queues": {"default": "https://sqs.example.org/1/airflow.fifo"}},
            ["FD168"],
        ),
        (
            without("rabbitmq"),
            {**SQS, "airflow_sqs_queues": {**SQS["airflow_sqs_queues"], "g.p.u": "https://sqs.example.org/1/g"}},
            ["FD168"],
        ),
        ([*without("rabbitmq"), host("w", 99, "worker", queues=("gpu",))], SQS, ["FD168"]),
        (without("rabbitmq"), {**SQS, "airflow_sqs_access_key_id": "AKIA"}, ["FD159"]),
    ],
)
def test_what_does_not_go_together_has_its_code(hosts, changes, found):
    assert codes(hosts, **changes) == found


def test_no_message_repeats_a_login():
    for url in ("http://user:hunter2@mq.example.org", "amqp://user:hunter2@mq.example.org:0", "amqp://user:hunter2@"):
        problems = inventory.check(without("rabbitmq"), defaults(airflow_broker_url=url))
        assert problems
        assert "hunter2" not in "".join(map(str, problems))


def test_the_model_has_no_part_of_a_login():
    model = plain(without("rabbitmq"), defaults(**OTHER, airflow_sqs_secret_access_key="p%2Fw"))
    assert not [part for part in ("us%40er", "p%2Fw", "mq.example.org") if part in json.dumps(model)]


def test_redis_is_reached_through_the_load_balancer_and_verified():
    model, node, url = parts(with_redis(), **REDIS)
    assert url == "rediss://airflow:p%40ss%2Fword@192.0.2.10:5673/0"
    options, transport = celery(node)
    assert options["extra_celery_config"]["broker_use_ssl"] == {
        "ssl_ca_certs": "/etc/airflow/secrets/ca.crt",
        "ssl_cert_reqs": "required",
        "ssl_check_hostname": True,
    }
    assert not [name for name in options["extra_celery_config"] if "queue_type" in name or "heartbeat" in name]
    # The longest task, and the time that a worker that stops waits for it.
    assert transport["visibility_timeout"] == 604800 + 600
    assert "confirm_publish" not in transport
    (listener,) = (each for each in model["nodes"]["lb1"]["haproxy"]["listeners"] if each["name"] == "broker")
    assert (listener["check"], listener["servers"]) == (
        "redis",
        [{"name": "store1", "address": "192.0.2.150", "port": 6379}],
    )
    assert "192.0.2.10" in model["tls"]["names"]["store1"]
    assert "rabbitmq" not in model["nodes"]["store1"]
    assert parts(with_redis(), **REDIS, airflow_tls=False)[2].startswith("redis://")


def test_an_external_broker_is_reached_by_its_own_url():
    model, node, url = parts(without("rabbitmq"), **OTHER)
    assert url == OTHER["airflow_broker_url"]
    options, transport = celery(node)
    assert options["extra_celery_config"]["broker_use_ssl"]["ca_certs"] == "/etc/ssl/certs/ca-certificates.crt"
    assert options["extra_celery_config"]["task_default_queue_type"] == "quorum"
    assert transport == {"confirm_publish": True}
    assert "broker" not in {each["name"] for each in model["nodes"]["lb1"]["haproxy"]["listeners"]}
    assert "broker_ca.crt" not in {secret["file"] for secret in node["secrets"]}
    _model, node, _url = parts(without("rabbitmq"), **OTHER, airflow_broker_ca=CERTIFICATE)
    assert celery(node)[0]["extra_celery_config"]["broker_use_ssl"]["ca_certs"] == "/etc/airflow/secrets/broker_ca.crt"
    assert {"kind": "plain_value", "file": "broker_ca.crt", "secret": "broker_ca"} in node["secrets"]
    capitals = celery(parts(without("rabbitmq"), airflow_broker_url="AMQPS://u:p@mq.example.org/team")[1])[0]
    assert "broker_use_ssl" in capitals["extra_celery_config"]
    # No load balancer listens where another one does.
    assert codes(without("rabbitmq"), **OTHER, airflow_haproxy_broker_port=8080) == []
    plain = celery(parts(without("rabbitmq"), airflow_broker_url="amqp://u:p@mq.example.org/team")[1])[0]
    assert "broker_use_ssl" not in plain["extra_celery_config"]


def test_sqs_has_its_queues_and_nothing_that_celery_would_make_one_for():
    model, node, url = parts(without("rabbitmq"), **SQS)
    options, transport = celery(node)
    assert url == "sqs:///"
    assert transport["predefined_queues"] == {"default": {"url": SQS["airflow_sqs_queues"]["default"]}}
    assert (transport["region"], transport["is_secure"], transport["visibility_timeout"]) == (
        "eu-central-1",
        True,
        43200,
    )
    assert options["worker_enable_remote_control"] is False
    assert model["broker"]["remote_control"] is False
    assert "sqs_secret_access_key" not in json.dumps(model)
    keys = {"airflow_sqs_access_key_id": "AKIA", "airflow_sqs_secret_access_key": "se/cr+et"}
    _model, node, url = parts(without("rabbitmq"), **SQS, **keys, airflow_sqs_endpoint_url="http://192.0.2.99:9324")
    assert url == "sqs://AKIA:se%2Fcr%2Bet@192.0.2.99:9324/"
    assert celery(node)[1]["is_secure"] is False


@pytest.mark.parametrize(
    ("settings", "config", "found"),
    [
        ({}, {}, []),
        # What the user gives is added to what the collection has.
        ({}, {"celery": {"extra_celery_config": {"worker_max_tasks_per_child": 10}}}, []),
        ({}, {"celery": {"extra_celery_config": {"worker_consumer": "mine:Consumer"}}}, []),
        (
            {},
            {"celery": {"extra_celery_config": {"task_default_queue_type": "classic", "worker_consumer": None}}},
            ["FD138"] * 2,
        ),
        ({}, {"celery": {"extra_celery_config": {"broker_use_ssl": False}}}, ["FD138"]),
        ({}, {"celery": {"extra_celery_config": {"broker_use_ssl": True}}}, ["FD138"]),
        ({}, {"celery": {"extra_celery_config": {"broker_use_ssl": {"cert_reqs": 0}}}}, ["FD138"]),
        (
            {},
            {
                "celery": {
                    "extra_celery_config": {"broker_use_ssl": {"certfile": "/a", "keyfile": "/b", "ca_certs": "/c"}}
                }
            },
            [],
        ),
        ({"airflow_tls": False}, {"celery": {"extra_celery_config": {"broker_use_ssl": False}}}, []),
        ({"airflow_tls": False}, {"celery": {"extra_celery_config": None}}, ["FD138"] * 3),
        (SQS, {"celery": {"extra_celery_config": {"worker_consumer": None}}}, ["FD138"]),
        ({}, {"celery_broker_transport_options": {"confirm_publish": False}}, ["FD138"]),
        ({}, {"celery_broker_transport_options": {"confirm_publish": "True", "x": 1}}, []),
        (REDIS, {"celery_broker_transport_options": {"confirm_publish": True}}, ["FD171"]),
        (
            REDIS,
            {"celery": {"extra_celery_config": json.dumps({"broker_use_ssl": {"x": 1}, "broker_heartbeat": 10})}},
            ["FD171"],
        ),
        (REDIS, {"celery": {"extra_celery_config": '{"worker_max_tasks_per_child": 10}'}}, []),
        (SQS, {"celery": {"extra_celery_config": {"worker_max_tasks_per_child": 10}}}, []),
        # Airflow gives Celery these names itself: in the extra options they would replace what is checked elsewhere.
        ({}, {"celery": {"extra_celery_config": {"broker_transport_options": {"confirm_publish": False}}}}, ["FD134"]),
        ({}, {"celery": {"extra_celery_config": {"worker_enable_remote_control": False}}}, ["FD134"]),
        ({}, {"celery": {"extra_celery_config": {"task_acks_late": False, "worker_concurrency": 90}}}, ["FD134"] * 2),
        (
            {},
            {"celery": {"extra_celery_config": {"broker_read_url": "amqp://a:b@c", "result_backend": None}}},
            ["FD134"] * 2,
        ),
        (SQS, {"celery": {"extra_celery_config": '{"broker_transport_options": {}}'}}, ["FD134"]),
        # Celery does not start with names of both kinds.
        ({}, {"celery": {"extra_celery_config": {"CELERYD_MAX_TASKS_PER_CHILD": 10}}}, ["FD135"]),
        ({**SQS, "airflow_max_task_seconds": 43200}, {}, ["FD170"]),
        # Acknowledged at the start, a message is not given to another worker.
        ({**SQS, "airflow_max_task_seconds": 43200}, {"celery": {"task_acks_late": False}}, []),
        ({**SQS, "airflow_sqs_visibility_timeout_seconds": 1800}, {}, ["FD170"]),
    ],
)
def test_options_that_do_not_fit_the_broker(settings, config, found):
    chosen = defaults(**settings)
    effective = merge.overlay(broker_model.config(chosen, 600), config)
    assert [problem.code for problem in broker.check_options(effective, chosen, 600)] == found


def test_passwords_of_brokers_that_are_not_ours_are_not_rotated():
    stored = {"broker_password": "x"}
    for settings, found in (({}, []), (SQS, ["FD179"]), (OTHER, ["FD179"]), (REDIS, [])):
        problems = rotation.check(
            ["broker_password"], stored, {}, "", broker_model.external_secrets(defaults(**settings))
        )
        assert [problem.code for problem in problems] == found
    model = cluster.build(with_redis(), defaults(**REDIS))
    assert [problem.code for problem in broker.check_rotation(["fernet_key", "broker_password"], model.broker)] == [
        "FD172"
    ]
    assert broker.check_rotation(["fernet_key"], model.broker) == []


def test_redis_knows_the_password_by_its_hash_and_unauthenticated_clients_may_ping():
    text = redis.redis_users(broker_model.redis(defaults()), Secrets({"broker_password": "pa/ss"}))
    unauthenticated, celery_user = text.splitlines()
    assert unauthenticated.endswith(" -@all +ping +role")
    assert "pa/ss" not in text
    assert celery_user.startswith("user airflow on #")
    assert celery_user.endswith("-@admin -@dangerous")


def test_only_redis_hosts_open_its_port():
    nodes = plain(with_redis(), defaults(**REDIS, airflow_firewall=True))["nodes"]
    rules = {name: {rule["port"]: rule for rule in node["firewall"]["rules"]} for name, node in nodes.items()}
    assert rules["store1"][6379]["sources"] == ["192.0.2.10"]
    assert rules["lb1"][5673]["why"] == "Redis"
    outside = plain(without("rabbitmq"), defaults(**OTHER, airflow_firewall=True))["nodes"]
    assert 5673 not in {rule["port"] for rule in outside["lb1"]["firewall"]["rules"]}
