"""The port matrix in docs/security.md is the one that the firewall has.

After an intended change: UPDATE_GOLDEN=1 pytest tests/unit/test_security_page.py.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import services
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import hosts as hosts_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import ports
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Queue
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/security.md"
BEGIN, END = "<!-- port matrix -->\n", "<!-- end of the port matrix -->\n"


def table():
    """Markdown for a cluster that has everything, a row per group's port."""
    variables = {}
    for path in (ROOT / "roles/airflow/defaults/main").glob("*.yml"):
        variables.update(yaml.safe_load(path.read_text()) or {})
    hosts = [
        hosts_model.Host(group, frozenset({group}), f"192.0.2.{number}", (Queue(name="default"),))
        for number, group in enumerate(services.GROUPS, start=1)
    ]
    hosts += [
        hosts_model.Host(f"{group}2", frozenset({group}), f"192.0.2.1{number}")
        for number, group in enumerate(("metastore", "etcd"))
    ]
    settings = Settings.from_variables({**variables, "airflow_firewall": True, "airflow_vip": "192.0.2.100/24"})
    lines = ["| on hosts of | port | what | open for |", "|---|---|---|---|"]
    for group in services.GROUPS:
        host = next(host for host in hosts if host.name == group)
        for port in ports.open_ports(host, settings, ports.conditions(hosts, settings)):
            if port.peers:
                peers = ", ".join(peer if peer in ("users", "admins") else f"`airflow_{peer}`" for peer in port.peers)
                lines.append(f"| `airflow_{group}` | {port.number} | {port.purpose} | {peers} |")
    return "\n".join(lines) + "\n"


def test_the_matrix_of_the_page_is_the_firewalls():
    text = PAGE.read_text()
    before, _mark, rest = text.partition(BEGIN)
    current, _mark, after = rest.partition(END)
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(before + BEGIN + table() + END + after)
        pytest.skip("the page was written")
    assert current == table()
