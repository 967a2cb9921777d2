"""The tables of docs/security.md are those of the catalogue: which secrets a service has, and which ports the firewall
opens.

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


def secrets_table():
    """Markdown, a row per group of secrets that the same services have."""
    components = services.COMPONENT.values()
    readers = {}
    for component in components:
        for name in component.secrets[3]:
            readers.setdefault(name, []).append(component.name)
    rows = {}
    for name, names in readers.items():
        rows.setdefault(tuple(names), []).append(f"`{name}`")
    lines = [
        "| secret | " + " | ".join(component.title for component in components) + " |",
        "|---" * (len(components) + 1) + "|",
    ]
    for names, files in rows.items():
        lines.append(
            f"| {', '.join(files)} |" + "|".join(" x " if each.name in names else " " for each in components) + "|"
        )
    return "\n".join(lines) + "\n"


def port_table():
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
    everything = {"airflow_firewall": True, "airflow_vip": "192.0.2.100/24", "airflow_metrics": True}
    everything["airflow_journals"] = True
    settings = Settings.from_variables({**variables, **everything})
    rows = []
    for group in services.GROUPS:
        host = next(host for host in hosts if host.name == group)
        for port in ports.open_ports(host, settings, ports.conditions(hosts, settings)):
            if port.peers:
                words = {"users": "users", "admins": "admins", services.EVERY_HOST: "all hosts"}
                peers = ", ".join(words.get(peer, f"`airflow_{peer}`") for peer in port.peers)
                where = "all" if port.service.host_group == services.EVERY_HOST else f"`airflow_{group}`"
                rows.append(f"| {where} | {port.number} | {port.purpose} | {peers} |")
    lines = ["| on hosts of | port | what | open for |", "|---|---|---|---|", *dict.fromkeys(rows)]
    return "\n".join(lines) + "\n"


TABLES = {"port matrix": port_table, "secrets": secrets_table}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_the_page_is_the_catalogues(name):
    text = PAGE.read_text()
    begin, end = f"<!-- {name} -->\n", f"<!-- end of the {name} -->\n"
    before, _mark, rest = text.partition(begin)
    current, _mark, after = rest.partition(end)
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(before + begin + TABLES[name]() + end + after)
        pytest.skip("the page was written")
    assert current == TABLES[name]()
