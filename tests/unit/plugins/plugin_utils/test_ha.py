"""What is sent to Patroni when its settings are not those of the inventory."""

from __future__ import annotations

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import ha
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import ha as ha_validation
from test_cluster import defaults

WANTED = {
    "ttl": 20,
    "synchronous_mode": True,
    "postgresql": {"use_slots": True, "parameters": {"max_connections": "200", "ssl": True}},
}


@pytest.mark.parametrize(
    ("names", "alike"),
    [
        (["db1", "db2", "db3"], None),
        (["DB1", "Db2", "db-3"], None),
        (["db-1", "db_1", "db2"], "db_1"),
        (["db2", "db.example-a.org", "db.example.a.org"], "db.example.a.org"),
        (["x" * 63 + ".a", "x" * 63 + ".b", "db3"], "x" * 63 + ".b"),
    ],
)
def test_members_of_patroni_have_a_replication_slot_each(names, alike):
    hosts = [Host(name, frozenset({"metastore", "etcd"}), f"192.0.2.{number}") for number, name in enumerate(names, 1)]
    problems = ha_validation.check(hosts, defaults())
    assert [(problem.code, problem.where) for problem in problems] == (
        [("FD118", f"host {alike} of airflow_metastore")] if alike else []
    )


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
