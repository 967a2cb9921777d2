"""What is sent to Patroni when its settings are not those of the inventory."""

from __future__ import annotations

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import ha

WANTED = {
    "ttl": 20,
    "synchronous_mode": True,
    "postgresql": {"use_slots": True, "parameters": {"max_connections": "200", "ssl": True}},
}


@pytest.mark.parametrize(
    ("current", "change"),
    [
        (WANTED, {}),
        # What Patroni itself or an operator put there.
        ({**WANTED, "pause": True}, {}),
        ({**WANTED, "ttl": "20"}, {}),
        ({**WANTED, "ttl": 30}, {"ttl": 20}),
        ({}, WANTED),
        (
            {**WANTED, "postgresql": {"use_slots": True, "parameters": {"max_connections": 100, "ssl": True}}},
            {"postgresql": {"parameters": {"max_connections": "200"}}},
        ),
        (
            {
                **WANTED,
                "postgresql": {"use_slots": True, "parameters": {"max_connections": "200", "ssl": True, "jit": "off"}},
            },
            {"postgresql": {"parameters": {"jit": None}}},
        ),
    ],
)
def test_only_differences_are_sent(current, change):
    assert ha.patroni_change(current, WANTED) == change
