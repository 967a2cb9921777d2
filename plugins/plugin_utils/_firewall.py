"""Who may connect to which port of which host: the port matrix of a cluster, and the nftables rules that enforce it.

Everything comes from the cluster model, so a port that a service opens and a port that the firewall opens are the same number.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._components import digest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._problem import Problem

TABLE = "flightdeck"
EPMD_PORT = 4369
# RabbitMQ's distribution port: 20000 above the default AMQP port, whatever the AMQP port is.
DISTRIBUTION_PORT = 25672
# Nodes send what rabbitmqctl asks for straight to it: each of its processes listens on one of these.
TOOL_PORTS = "35672-35682"
# Airflow hosts that talk to the load balancers' listeners.
_EXECUTION = ("scheduler", "dag_processor", "triggerer", "worker")
_METASTORE = ("webserver", *_EXECUTION)
_BROKER = ("scheduler", "worker")


class Rule(TypedDict):
    """One open port, or a range of them: who may connect are groups of hosts, ``users`` or ``admins``."""

    port: int | str
    peers: list[str]
    why: str


def _rule(port: Any, why: str, *peers: str) -> Rule:
    return {"port": port if isinstance(port, str) else int(port), "peers": list(peers), "why": why}


def rules(node: Mapping[str, Any], *, tls: bool) -> list[Rule]:
    """The open ports of one ``node`` of the model, sorted by port."""
    found: list[Rule] = []
    if "metastore" in node:
        found.append(_rule(node["metastore"]["port"], "PostgreSQL", "haproxy"))
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
    if "haproxy" in node:
        clients = {"web": ("users",), "execution_api": _EXECUTION, "metastore": _METASTORE, "broker": _BROKER}
        names = {"web": "UI and API", "execution_api": "execution API", "metastore": "PostgreSQL", "broker": "AMQP"}
        for listener in node["haproxy"]["listeners"]:
            found.append(_rule(listener["port"], names[listener["name"]], *clients[listener["name"]]))
            if "redirect_from" in listener:
                found.append(_rule(listener["redirect_from"], "redirect to the UI", "users"))
        found += [
            _rule(node["haproxy"]["stats"]["port"], "HAProxy statistics", "admins"),
            # A webserver that was restarted asks here whether it is served again.
            _rule(node["haproxy"]["metrics_port"], "HAProxy metrics", "admins", "webserver"),
        ]
    ports = node.get("airflow", {}).get("ports", {})
    if "webserver" in ports:
        found.append(_rule(ports["webserver"], "api-server", "haproxy"))
    for component in ("worker", "triggerer"):
        if component in ports:
            found.append(_rule(ports[component], f"task logs of the {component}", "webserver"))
    return sorted(found, key=lambda rule: int(str(rule["port"]).partition("-")[0]))


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


def _match(addresses: list[str]) -> list[str]:
    """nftables' conditions for packets from ``addresses``, one per address family; a single empty one for anybody."""
    if not addresses:
        return [""]
    found = {4: [], 6: []}  # type: dict[int, list[str]]
    for address in addresses:
        network = ipaddress.ip_network(address, strict=False)
        found[network.version].append(str(network.network_address if network.num_addresses == 1 else network))
    return [f"{'ip' if version == 4 else 'ip6'} saddr {{ {', '.join(entries)} }} " for version, entries in found.items() if entries]


def ruleset(firewall: Mapping[str, Any]) -> str:
    """What ``nft -f`` loads: replaces our table as a whole and leaves all others alone."""
    lines = [
        "type filter hook input priority filter; policy drop;",
        'iif "lo" accept',
        "ct state established,related accept",
        "ct state invalid drop",
        # ICMP of both families by number: a small system has no list of their names.
        "meta l4proto { 1, 58 } accept",
        'ip6 saddr fe80::/10 udp dport 546 accept comment "DHCPv6"',
    ]
    for port in firewall["ssh_ports"]:
        lines += [f'{match}tcp dport {port} accept comment "SSH"' for match in _match(firewall["ssh_sources"])]
    for rule in firewall["rules"]:
        lines += [f'{match}tcp dport {rule["port"]} accept comment "{rule["why"]}"' for match in _match(rule["sources"])]
    lines += firewall["extra_rules"]
    chain = "\n".join(f"        {line}" for line in lines)
    # A chain that nothing jumps to: its name tells which rules the kernel has.
    return f"""# Managed by Ansible
table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
    chain digest_{digest(lines)} {{
    }}
    chain input {{
{chain}
    }}
}}
"""


def check(addresses: Mapping[str, str], settings: Mapping[str, Any]) -> list[Problem]:
    """What a firewall could not be made of. ``addresses`` maps hosts to their addresses."""
    problems = []
    for name, address in addresses.items():
        if not _is_network(address):
            problems.append(
                Problem(
                    "FD150",
                    f"airflow_address of host {name}",
                    repr(address),
                    "an IP address, because the firewall admits addresses",
                    "Set airflow_address, or airflow_firewall: false.",
                )
            )
    for kind in ("ssh", "user", "admin"):
        variable = f"airflow_firewall_{kind}_sources"
        for entry in settings[variable]:
            if not _is_network(entry):
                problems.append(
                    Problem("FD151", variable, repr(entry), "an IP address or a network such as 192.0.2.0/24", "Correct the entry.")
                )
    for port in settings["airflow_firewall_ssh_ports"]:
        if not str(port).isdecimal() or not 1 <= int(port) <= 65535:
            problems.append(Problem("FD152", "airflow_firewall_ssh_ports", repr(port), "1 to 65535", "Name the port that sshd listens on."))
    if not settings["airflow_firewall_ssh_ports"]:
        problems.append(
            Problem(
                "FD152", "airflow_firewall_ssh_ports", "no port", "at least one", "Without it nobody, Ansible neither, reaches the hosts."
            )
        )
    return problems


def _is_network(text: Any) -> bool:
    try:
        ipaddress.ip_network(str(text), strict=False)
    except ValueError:
        return False
    return True
