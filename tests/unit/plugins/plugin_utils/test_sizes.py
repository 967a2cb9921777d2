"""Memory settings of the backing services."""

from __future__ import annotations

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import postgresql, sizes


@pytest.mark.parametrize(
    ("size", "rounded"), [(0, 0), (7, 7), (9, 8), (5700, 5120), (5990, 5120), (6144, 6144), (8191, 7168)]
)
def test_round_down_keeps_three_binary_digits(size: int, rounded: int) -> None:
    assert sizes.round_down(size) == rounded


def test_a_kernel_update_does_not_change_settings() -> None:
    assert postgresql.postgresql_memory(7950, 200) == postgresql.postgresql_memory(7962, 200)


@pytest.mark.parametrize("total", [512, 2048, 8192, 65536, 1048576])
@pytest.mark.parametrize("connections", [100, 200, 1600])
def test_postgresql_stays_within_the_host(total: int, connections: int) -> None:
    memory = postgresql.postgresql_memory(total, connections)
    assert memory["shared_buffers"] <= min(8192, total // 4)
    assert 4 <= memory["work_mem"] <= 64
    assert memory["maintenance_work_mem"] <= 1024
    assert memory["effective_cache_size"] <= total // 2


@pytest.mark.parametrize(("total", "connections"), [(0, 200), (1024, 0)])
def test_postgresql_refuses_nonsense(total: int, connections: int) -> None:
    with pytest.raises(ValueError, match="must both be positive"):
        postgresql.postgresql_memory(total, connections)


def test_broker_memory() -> None:
    assert sizes.broker_memory(8000, 0.4) == 3072
    assert sizes.broker_memory(100, 0.4) == 128
    with pytest.raises(ValueError, match="between 0 and 1"):
        sizes.broker_memory(8000, 1.5)
