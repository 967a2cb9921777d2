"""The port matrix of a cluster: who may connect to which port of which host.

Everything comes from the cluster model, so a port that a service opens and a port that the firewall opens are the same number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import (
    DISTRIBUTION_PORT,
    EPMD_PORT,
    ETCD_CLIENT_PORT,
    ETCD_PEER_PORT,
    TOOL_PORTS,
    VRRP,
)

# Airflow hosts that talk to the load balancers' listeners.
_EXECUTION = ("scheduler", "dag_processor", "triggerer", "worker")
_METASTORE = ("webserver", *_EXECUTION)
_BROKER = ("scheduler", "worker")


class Rule(TypedDict):
    """One open port, a range of them, or ``vrrp``: who may connect are groups of hosts, ``users`` or ``admins``."""

    port: int | str
    peers: list[str]
    why: str


def _rule(port: Any, why: str, *peers: str) -> Rule:
    return {"port": port if isinstance(port, str) else int(port), "peers": list(peers), "why": why}


def rules(node: Mapping[str, Any], *, tls: bool) -> list[Rule]:
    """The open ports of one ``node`` of the model, sorted by port."""
    found: list[Rule] = []
    if "metastore" in node:
        patroni = node["metastore"]["patroni"]
        found.append(_rule(node["metastore"]["port"], "PostgreSQL", "haproxy", *(("metastore",) if patroni else ())))
        if patroni:
            found.append(_rule(patroni["port"], "Patroni", "haproxy", "metastore"))
    if "etcd" in node:
        found.append(_rule(ETCD_CLIENT_PORT, "etcd", "metastore", "etcd"))
        found.append(_rule(ETCD_PEER_PORT, "etcd between its members", "etcd"))
    if "rabbitmq" in node:
        broker = node["rabbitmq"]
        found += [
            # A node that joins looks here whether the first one serves yet.
            _rule(broker["port"], "AMQP", "haproxy", "rabbitmq"),
            _rule(EPMD_PORT, "Erlang's port mapper", "rabbitmq"),
            _rule(DISTRIBUTION_PORT, "RabbitMQ between its nodes", "rabbitmq"),
            _rule(TOOL_PORTS, "RabbitMQ's command line tools", "rabbitmq"),
            _rule(broker["management_tls_port"] if tls else broker["management_port"], "RabbitMQ management", "admins"),
            _rule(broker["prometheus_port"], "RabbitMQ metrics", "admins"),
        ]
    if "redis" in node:
        found.append(_rule(node["redis"]["port"], "Redis", "haproxy"))
    if "haproxy" in node:
        clients = {"web": ("users",), "execution_api": _EXECUTION, "metastore": _METASTORE, "broker": _BROKER}
        names = {"web": "UI and API", "execution_api": "execution API", "metastore": "PostgreSQL", "amqp": "AMQP", "redis": "Redis"}
        for listener in node["haproxy"]["listeners"]:
            found.append(
                _rule(
                    listener["port"],
                    names[listener["check"] if listener["name"] == "broker" else listener["name"]],
                    *clients[listener["name"]],
                )
            )
            if "redirect_from" in listener:
                found.append(_rule(listener["redirect_from"], "redirect to the UI", "users"))
        found += [
            _rule(node["haproxy"]["stats"]["port"], "HAProxy statistics", "admins"),
            # A webserver that was restarted asks here whether it is served again.
            _rule(node["haproxy"]["metrics_port"], "HAProxy metrics", "admins", "webserver"),
        ]
    if "pgbouncer" in node:
        found.append(_rule(node["pgbouncer"]["port"], "PgBouncer", *_METASTORE))
    if "keepalived" in node:
        found.append(_rule(VRRP, "keepalived", "haproxy"))
    ports = node.get("airflow", {}).get("ports", {})
    if "webserver" in ports:
        found.append(_rule(ports["webserver"], "api-server", "haproxy"))
    for component in ("worker", "triggerer"):
        if component in ports:
            found.append(_rule(ports[component], f"task logs of the {component}", "webserver"))
    return sorted(found, key=lambda rule: 0 if rule["port"] == VRRP else int(str(rule["port"]).partition("-")[0]))


def sources(peers: Iterable[str], hosts_of: Mapping[str, Iterable[Mapping[str, str]]], given: Mapping[str, Iterable[str]]) -> list[str]:
    """Addresses and networks of ``peers``; empty means anybody. ``given`` holds those of users and admins."""
    found: set[str] = set()
    for peer in peers:
        if peer not in given:
            found.update(host["address"] for host in hosts_of[peer])
        elif given[peer]:
            found.update(given[peer])
        elif peer == "users":
            return []
    # Nobody is a loopback address, which has a rule of its own.
    return sorted(found) or ["127.0.0.1"]


def peers(nodes: Mapping[str, Mapping[str, Any]], run: Iterable[str]) -> list[str]:
    """The hosts outside of ``run``, which is a list of hosts, that have a rule for one of its hosts; all of ``nodes`` have a firewall."""
    inside = set(run)
    addresses = {node["address"] for name, node in nodes.items() if name in inside}
    return [
        name
        for name, node in nodes.items()
        if name not in inside and any(addresses.intersection(rule["sources"]) for rule in node["firewall"]["rules"])
    ]
