"""What the answers of the management API mean."""

from __future__ import annotations

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _rabbitmq_api

NODES = [
    {"name": "rabbit@a", "running": True, "partitions": []},
    {"name": "rabbit@b", "running": False},
    {"name": "rabbit@c", "running": True, "partitions": ["rabbit@a"]},
]


def test_members() -> None:
    assert _rabbitmq_api.running(NODES) == {"rabbit@a", "rabbit@c"}
    assert _rabbitmq_api.stopped(NODES) == {"rabbit@b"}
    assert _rabbitmq_api.partitioned(NODES) == {"rabbit@c"}


def test_queues_without_a_copy() -> None:
    queues = [
        {"name": "q2", "type": "quorum", "members": ["rabbit@a"]},
        {"name": "q1", "type": "quorum", "members": ["rabbit@a", "rabbit@b"]},
        {"name": "control", "type": "classic"},
        {"name": "unknown", "type": "quorum"},
    ]
    assert _rabbitmq_api.without_replica(queues, "rabbit@b") == ["q2"]


def test_a_closed_port_is_unreachable() -> None:
    with pytest.raises(_rabbitmq_api.UnreachableError, match="does not answer"):
        _rabbitmq_api.Api(1, "admin", "secret", timeout_seconds=1).call("whoami")


def test_quoted() -> None:
    assert _rabbitmq_api.quoted("a/b ü") == "a%2Fb%20%C3%BC"


def test_the_path_of_queues() -> None:
    assert _rabbitmq_api.queues_path("a/b") == "queues/a%2Fb?disable_stats=true&enable_queue_totals=true"
