# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The broker that carries tasks from schedulers to workers: RabbitMQ, Redis or Amazon SQS, managed by the
collection or external."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import (
    BROKER_CA,
    CA,
    SECRETS_DIR,
    SYSTEM_CA_FILE,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import BROKER_ACCOUNTS, BrokerAccount
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import (
    BuiltUrl,
    Listener,
    PlainValue,
    Redis,
    SecretFile,
    Server,
    secret_name,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import Config
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings

USER = "airflow"
# Who reads statistics of Redis.
METRICS_USER = "airflow_metrics"
# A new connection and a publication are retried until Airflow's operation_timeout: a single broker is unavailable while
# it restarts.
_RETRIES = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2}
# Options of Celery that RabbitMQ alone knows.
RABBITMQ_ONLY = (
    "task_default_queue_type",
    "task_create_missing_queue_type",
    "broker_native_delayed_delivery_queue_type",
    "broker_heartbeat",
)
QUORUM = RABBITMQ_ONLY[:2]


@dataclass(frozen=True)
class Broker:
    """Which broker a cluster has."""

    kind: Literal["rabbitmq", "redis", "sqs"]
    external: bool
    tls: bool
    # Path of the CA certificates by which clients verify it.
    ca_file: str

    @property
    def group(self) -> str:
        """The group whose hosts run it; empty for an external one."""
        return "" if self.external else self.kind

    @property
    def remote_control(self) -> bool:
        """Whether a worker can be asked over the broker what it does."""
        return self.kind != "sqs"


def broker_of(settings: Settings) -> Broker:
    """The broker that ``settings`` describe, wrong ones too."""
    if settings.broker == "sqs" or settings.broker_url:
        private = f"{SECRETS_DIR}/{BROKER_CA}" if settings.broker_ca else ""
        tls = settings.broker_url.lower().startswith(("amqps:", "rediss:"))
        return Broker(settings.broker, True, tls, private or SYSTEM_CA_FILE)
    return Broker(settings.broker, False, settings.tls, f"{SECRETS_DIR}/{CA}")


def hold_seconds(settings: Settings, drain_seconds: int) -> int:
    """Seconds that a worker may hold a message at most: the longest task, and ``drain_seconds`` until a stopped
    worker is gone."""
    return settings.max_task_seconds + drain_seconds


def config(settings: Settings, drain_seconds: int) -> Config:
    """What schedulers and workers need in airflow.cfg besides the URL.

    ``drain_seconds`` is the longest time that a stopped worker waits for its tasks.
    """
    broker = broker_of(settings)
    extra: dict[str, object] = {
        "broker_channel_error_retry": True,
        "broker_connection_max_retries": None,
        # A worker that reconnects with running tasks would never raise its prefetch again.
        "worker_enable_prefetch_count_reduction": False,
        # A process of the worker's pool that has not begun within Celery's own 4 s is killed, on a busy host again and
        # again.
        "worker_proc_alive_timeout": 60,
        "worker_consumer": "flightdeck_worker:Consumer",
    }
    transport: dict[str, object] = {"confirm_publish": True}
    # Below the 4 s that one connection attempt may take, a broker failover would fail every publish.
    # Airflow asks for the end of a task only. That it began, a worker would write with a session and a commit more.
    celery: dict[str, object] = {"operation_timeout": 20, "task_track_started": False, "extra_celery_config": extra}
    if broker.kind == "rabbitmq":
        # Celery sees quorum queues only in its own declarations; without both it asks for a QoS that they refuse.
        extra.update(dict.fromkeys(QUORUM, "quorum"), broker_heartbeat=30)
        # Airflow never delays messages: keep the 28 helper queues cheap.
        extra["broker_native_delayed_delivery_queue_type"] = "classic"
    else:
        extra["task_publish_retry_policy"] = {"max_retries": None, **_RETRIES}
        transport = {"connect_retries_timeout": 60, **_RETRIES}
        transport |= _redis_options(settings, drain_seconds) if broker.kind == "redis" else _sqs_options(settings)
    if broker.tls:
        extra["broker_use_ssl"] = tls_options(broker)
    if not broker.remote_control:
        celery["worker_enable_remote_control"] = False
    return {"celery": celery, "celery_broker_transport_options": transport}


def tls_options(broker: Broker) -> dict[str, object]:
    """Options of Celery by which a client verifies the ``broker``."""
    if broker.kind == "redis":
        return {"ssl_ca_certs": broker.ca_file, "ssl_cert_reqs": "required", "ssl_check_hostname": True}
    # No name: kombu checks the certificate for the host of the URL then.
    return {"ca_certs": broker.ca_file, "cert_reqs": int(ssl.CERT_REQUIRED), "server_hostname": None}


def _redis_options(settings: Settings, drain_seconds: int) -> dict[str, object]:
    return {
        # What a worker holds longer is given to another one.
        "visibility_timeout": hold_seconds(settings, drain_seconds),
        "socket_connect_timeout": 4,
        "socket_keepalive": True,
        # A wait for messages lasts one second: who is silent for so long is gone.
        "socket_timeout": 30,
    }


def _sqs_options(settings: Settings) -> dict[str, object]:
    return {
        # For predefined queues it is the queue's own setting that counts; the health check compares the two.
        "visibility_timeout": settings.sqs_visibility_timeout_seconds,
        # Celery makes no queues then, neither for tasks nor for itself.
        "predefined_queues": {str(name): {"url": str(url)} for name, url in settings.sqs_queues.items()},
        "region": settings.sqs_region,
        "is_secure": not settings.sqs_endpoint_url.startswith("http:"),
        "wait_time_seconds": 10,
        "client-config": {"connect_timeout": 4, "read_timeout": 10},
    }


def secret_files(settings: Settings, balancer: str) -> tuple[SecretFile, ...]:
    """The secret files with the broker's URLs and its CA; ``balancer`` is the address of the host's load balancer."""
    private = (PlainValue(file=BROKER_CA, secret=secret_name("broker_ca")),) if settings.broker_ca else ()
    url = _url(settings, balancer)
    return (url, *(_account_url(url, each, broker_of(settings)) for each in BROKER_ACCOUNTS.values()), *private)


def _account_url(url: BuiltUrl | PlainValue, account: BrokerAccount, broker: Broker) -> SecretFile:
    """The ``url`` of schedulers and workers as that of another ``account``, which only a managed RabbitMQ has."""
    if broker.group == "rabbitmq" and isinstance(url, BuiltUrl):
        return replace(url, file=account.file, user=account.user, secret=secret_name(account.secret))
    return replace(url, file=account.file)


def _url(settings: Settings, balancer: str) -> BuiltUrl | PlainValue:
    broker = broker_of(settings)
    if broker.kind == "sqs":
        endpoint, key = urlsplit(settings.sqs_endpoint_url), settings.sqs_access_key_id
        return BuiltUrl(
            file="broker_url",
            scheme="sqs",
            host=endpoint.hostname or "",
            port=endpoint.port or 0,
            user=key,
            secret=secret_name("sqs_secret_access_key") if key else "",
            path="",
            query={},
        )
    if broker.external:
        return PlainValue(file="broker_url", secret=secret_name("broker_url"))
    scheme, path = ("amqp", "airflow") if broker.kind == "rabbitmq" else ("redis", "0")
    return BuiltUrl(
        file="broker_url",
        scheme=f"{scheme}s" if broker.tls else scheme,
        host=balancer,
        port=settings.ports["airflow_haproxy_broker_port"],
        user=USER,
        secret=secret_name("broker_password"),
        path=path,
        query={},
    )


def external_secrets(settings: Settings) -> list[str]:
    """Secrets of accounts that only managed brokers have, as far as this cluster's has none."""
    broker = broker_of(settings)
    accounts = [account.secret for account in BROKER_ACCOUNTS.values()]
    of_rabbitmq = ["rabbitmq_admin_password", "rabbitmq_cookie", *accounts] if broker.group != "rabbitmq" else []
    return [*(["broker_password"] if broker.external else []), *of_rabbitmq]


def redis(settings: Settings) -> Redis:
    """The share of the host that runs Redis."""
    return Redis(
        port=settings.ports["airflow_redis_port"],
        user=USER,
        secret=secret_name("broker_password"),
        memory_share=0.4,
        metrics_user=METRICS_USER if settings.metrics else None,
        metrics_secret=secret_name("redis_metrics_password") if settings.metrics else None,
        ca_file="/etc/redis/airflow-tls/ca.crt" if settings.tls else None,
    )


def listeners(settings: Settings, servers: Mapping[str, tuple[Server, ...]]) -> tuple[Listener, ...]:
    """The load balancers' listener for a managed broker, if the cluster has one; ``servers`` are those of each
    group."""
    broker = broker_of(settings)
    if broker.external or broker.kind == "sqs":
        return ()
    return (
        Listener(
            name="broker",
            mode="tcp",
            port=settings.ports["airflow_haproxy_broker_port"],
            check="amqp" if broker.kind == "rabbitmq" else "redis",
            ca_file="/etc/haproxy/airflow-tls/ca.crt" if broker.tls else None,
            servers=servers[broker.group],
        ),
    )
