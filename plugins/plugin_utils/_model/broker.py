"""The broker that carries tasks from schedulers to workers: RabbitMQ, Redis or Amazon SQS, managed by the collection or external."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import (
    AUTHORITY,
    BROKER_AUTHORITY,
    SECRETS_DIR,
    SYSTEM_AUTHORITIES,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import Config

USER = "airflow"
# A new connection and a publication are tried again until Airflow's operation_timeout: a broker of one host is away while it restarts.
_PATIENCE = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2}
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

    kind: str
    external: bool
    tls: bool
    # Certificate that proves it to its clients.
    authority: str

    @property
    def group(self) -> str:
        """The group whose hosts run it; empty when it is none of the cluster's."""
        return "" if self.external else self.kind

    @property
    def remote_control(self) -> bool:
        """Whether a worker can be asked over the broker what it does."""
        return self.kind != "sqs"


def broker_of(settings: Mapping[str, Any]) -> Broker:
    """The broker that the cluster-wide ``settings`` describe, wrong ones too."""
    kind, url = str(settings["airflow_broker"]), str(settings["airflow_broker_url"] or "")
    if kind == "sqs" or url:
        private = f"{SECRETS_DIR}/{BROKER_AUTHORITY}" if settings["airflow_broker_ca"] else ""
        return Broker(kind, True, url.lower().startswith(("amqps:", "rediss:")), private or SYSTEM_AUTHORITIES)
    return Broker(kind, False, bool(settings["airflow_tls"]), f"{SECRETS_DIR}/{AUTHORITY}")


def hold_seconds(settings: Mapping[str, Any], drain_seconds: int) -> int:
    """Seconds that a worker may hold a message at most: those of a task, and what it takes to stop a worker."""
    return int(settings["airflow_max_task_seconds"]) + drain_seconds


def config(settings: Mapping[str, Any], drain_seconds: int) -> Config:
    """What schedulers and workers need in airflow.cfg besides the URL."""
    broker = broker_of(settings)
    extra: dict[str, Any] = {
        "broker_channel_error_retry": True,
        "broker_connection_max_retries": None,
        # A worker that reconnects with running tasks would never raise its prefetch again.
        "worker_enable_prefetch_count_reduction": False,
        # A process of the worker's pool that has not begun within Celery's own 4 s is killed, on a busy host again and again.
        "worker_proc_alive_timeout": 60,
        "worker_consumer": "flightdeck_worker:Consumer",
    }
    transport: dict[str, Any] = {"confirm_publish": True}
    # Below the 4 s that one connection attempt may take, a broker failover would fail every publish.
    celery: dict[str, Any] = {"operation_timeout": 20, "extra_celery_config": extra}
    if broker.kind == "rabbitmq":
        # Celery sees quorum queues only in its own declarations; without both it asks for a QoS that they refuse.
        extra.update(dict.fromkeys(QUORUM, "quorum"), broker_heartbeat=30)
        # Airflow never delays messages: keep the 28 helper queues cheap.
        extra["broker_native_delayed_delivery_queue_type"] = "classic"
    else:
        extra["task_publish_retry_policy"] = {"max_retries": None, **_PATIENCE}
        transport = {"connect_retries_timeout": 60, **_PATIENCE}
        transport |= _redis_options(settings, drain_seconds) if broker.kind == "redis" else _sqs_options(settings)
    if broker.tls:
        extra["broker_use_ssl"] = tls_options(broker)
    if not broker.remote_control:
        celery["worker_enable_remote_control"] = False
    return {"celery": celery, "celery_broker_transport_options": transport}


def tls_options(broker: Broker) -> dict[str, Any]:
    """Options of Celery by which a client verifies the ``broker``."""
    if broker.kind == "redis":
        return {"ssl_ca_certs": broker.authority, "ssl_cert_reqs": "required", "ssl_check_hostname": True}
    # No name: kombu checks the certificate for the host of the URL then.
    return {"ca_certs": broker.authority, "cert_reqs": int(ssl.CERT_REQUIRED), "server_hostname": None}


def _redis_options(settings: Mapping[str, Any], drain_seconds: int) -> dict[str, Any]:
    return {
        # What a worker holds longer is given to another one.
        "visibility_timeout": hold_seconds(settings, drain_seconds),
        "socket_connect_timeout": 4,
        "socket_keepalive": True,
        # A wait for messages lasts one second: who is silent for so long is gone.
        "socket_timeout": 30,
    }


def _sqs_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        # For predefined queues it is the queue's own setting that counts; the health check compares the two.
        "visibility_timeout": int(settings["airflow_sqs_visibility_timeout_seconds"]),
        # Celery makes no queues then, neither for tasks nor for itself.
        "predefined_queues": {str(name): {"url": str(url)} for name, url in settings["airflow_sqs_queues"].items()},
        "region": str(settings["airflow_sqs_region"]),
        "is_secure": not str(settings["airflow_sqs_endpoint_url"]).startswith("http:"),
        "wait_time_seconds": 10,
        "client-config": {"connect_timeout": 4, "read_timeout": 10},
    }


def secrets(settings: Mapping[str, Any], balancer: str) -> list[dict[str, Any]]:
    """Descriptions of the secret files with the URL and the authority; ``balancer`` is the address of the host's load balancer."""
    broker = broker_of(settings)
    url: dict[str, Any] = {"file": "broker_url", "secret": "broker_url"}
    if broker.kind == "sqs":
        endpoint = urlsplit(str(settings["airflow_sqs_endpoint_url"]))
        key = str(settings["airflow_sqs_access_key_id"])
        url = {"file": "broker_url", "user": key, **({"secret": "sqs_secret_access_key"} if key else {})}
        url |= {"scheme": "sqs", "host": endpoint.hostname or "", "port": endpoint.port or 0, "path": "", "query": {}}
    elif not broker.external:
        amqp = {"scheme": "amqps" if broker.tls else "amqp", "path": "airflow"}
        redis = {"scheme": "rediss" if broker.tls else "redis", "path": "0"}
        url |= {**(amqp if broker.kind == "rabbitmq" else redis), "user": USER, "secret": "broker_password", "query": {}}
        url |= {"host": balancer, "port": settings["airflow_haproxy_broker_port"]}
    private = [{"file": BROKER_AUTHORITY, "secret": "broker_ca"}] if settings["airflow_broker_ca"] else []
    return [url, *private]


def foreign_secrets(settings: Mapping[str, Any]) -> list[str]:
    """Secrets of accounts that only brokers of the collection have, as far as the cluster's has none."""
    broker = broker_of(settings)
    of_rabbitmq = ["rabbitmq_admin_password", "rabbitmq_cookie"] if broker.group != "rabbitmq" else []
    return [*(["broker_password"] if broker.external else []), *of_rabbitmq]


def redis(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The share of the host that runs Redis."""
    return {
        "port": settings["airflow_redis_port"],
        "user": USER,
        "secret": "broker_password",
        "memory_share": 0.4,
        **({"authority": "/etc/redis/airflow-tls/ca.crt"} if settings["airflow_tls"] else {}),
    }


def listeners(settings: Mapping[str, Any], servers: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The load balancers' listener for a broker of the cluster, if it has one; ``servers`` are those of each group."""
    broker = broker_of(settings)
    if broker.external:
        return []
    return [
        {
            "name": "broker",
            "mode": "tcp",
            "port": settings["airflow_haproxy_broker_port"],
            "check": {"rabbitmq": "amqp", "redis": "redis"}[broker.kind],
            **({"authority": "/etc/haproxy/airflow-tls/ca.crt"} if broker.tls else {}),
            "servers": servers[broker.group],
        }
    ]
