"""Who may connect to which port of which host: the port matrix of a cluster, and the nftables rules that enforce it.

Everything comes from the cluster model, so a port that a service opens and a port that the firewall opens are the same number.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._ha import ETCD_CLIENT_PORT, ETCD_PEER_PORT
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._problem import Problem, on_hosts

TABLE = "flightdeck"
EPMD_PORT = 4369
# RabbitMQ's distribution port: 20000 above the default AMQP port, whatever the AMQP port is.
DISTRIBUTION_PORT = 25672
# Nodes send what rabbitmqctl asks for straight to it: each of its processes listens on one of these.
TOOL_PORTS = "35672-35682"
VRRP = "vrrp"
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


def _match(addresses: list[str]) -> list[str]:
    """nftables' conditions for packets from ``addresses``, one per address family; a single empty one for anybody."""
    if not addresses:
        return [""]
    networks = list(dict.fromkeys(ipaddress.ip_network(address, strict=False) for address in addresses))
    wide = [network for network in networks if network.num_addresses > 1]
    matches = []
    for version, family, protocol in ((4, "ipv4", "ip"), (6, "ipv6", "ip6")):
        own = [network for network in networks if network.version == version]
        # nft refuses a set whose entries overlap.
        entries = [network for network in own if not any(other != network and _within(network, other) for other in wide)]
        if any(network.prefixlen == 0 for network in entries):
            matches.append(f"meta nfproto {family} ")
        elif entries:
            shown = (str(network if network.num_addresses > 1 else network.network_address) for network in entries)
            matches.append(f"{protocol} saddr {{ {', '.join(shown)} }} ")
    return matches


def _within(inner: Any, outer: Any) -> bool:
    """Whether all of the network ``inner`` is in ``outer``, which may be of the other family."""
    return inner.version == outer.version and inner.subnet_of(outer)


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
        # VRRP is a protocol beside TCP; by number, because a small system has no list of their names.
        wanted = "meta l4proto 112" if rule["port"] == VRRP else f"tcp dport {rule['port']}"
        lines += [f'{match}{wanted} accept comment "{rule["why"]}"' for match in _match(rule["sources"])]
    lines += firewall["extra_rules"]
    chain = "\n".join(f"        {line}" for line in lines)
    return f"""# Managed by Ansible
table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
    chain input {{
{chain}
    }}
}}
"""


def check(
    addresses: Mapping[str, str],
    settings: Mapping[str, Any],
    extra_rules: Mapping[str, Iterable[Any]] | None = None,
    ssh_ports: Mapping[str, int] | None = None,
) -> list[Problem]:
    """What a firewall could not be made of, or would lock Ansible out.

    ``addresses`` and ``extra_rules`` map hosts to what the model has of them, ``ssh_ports`` those hosts that Ansible reaches over SSH on a
    port that the inventory names.
    """
    problems = []
    for name, address in addresses.items():
        if not _is_address(address):
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
        problems += [problem for entry in settings[variable] for problem in _check_source(variable, entry)]
    problems += _check_ssh_ports(settings["airflow_firewall_ssh_ports"], ssh_ports or {})
    expected, remedy = "one line of nftables for the input chain, such as 'tcp dport 9100 accept'", "Write one rule per entry."
    problems += on_hosts(
        (name, Problem("FD154", "airflow_firewall_extra_rules", repr(rule), expected, remedy))
        for name, own_rules in (extra_rules or {}).items()
        for rule in own_rules
        if not str(rule).strip() or not _is_one_line(str(rule))
    )
    return problems


def _check_ssh_ports(ports: Iterable[Any], used: Mapping[str, int]) -> list[Problem]:
    """Problems of the ports that stay open for SSH; ``used`` are those that Ansible connects to, by host."""
    variable = "airflow_firewall_ssh_ports"
    problems = []
    valid = {int(port) for port in ports if str(port).isdecimal() and 1 <= int(port) <= 65535}
    for port in ports:
        if not str(port).isdecimal() or int(port) not in valid:
            problems.append(Problem("FD152", variable, repr(port), "1 to 65535", "Name the port that sshd listens on."))
    if not ports:
        problems.append(Problem("FD152", variable, "no port", "at least one", "Without it nobody, Ansible neither, reaches the hosts."))
    for port in sorted(set(used.values()) - valid if valid else ()):
        names = [name for name, its in used.items() if its == port]
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        problems.append(
            Problem(
                "FD153",
                variable,
                ", ".join(map(str, sorted(valid))),
                f"{port} among them, the ansible_port of {shown}",
                "Add it, also where it is only forwarded to sshd's own port: nothing listens there then.",
            )
        )
    return problems


def _check_source(variable: str, entry: Any) -> list[Problem]:
    """The problem of one address or network, if any."""
    try:
        ipaddress.ip_network(str(entry))
        return []
    except ValueError:
        pass
    expected, remedy = "an IP address or a network such as 192.0.2.0/24", "Correct the entry."
    if _is_network(entry):
        # Host bits are set: a slip either way, and one of the two ways opens more than was meant.
        interface = ipaddress.ip_interface(str(entry))
        expected, remedy = f"{interface.ip} or {interface.network}", "Write the one that you mean."
    return [Problem("FD151", variable, repr(entry), expected, remedy)]


def _is_one_line(rule: str) -> bool:
    """Whether ``rule`` is one line that closes just the braces that it opens and holds no second statement."""
    depth = 0
    for character in re.sub(r'"[^"\n]*"', "", rule):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0 or character in "\n\r;":
            return False
    return depth == 0


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_network(text: Any) -> bool:
    try:
        ipaddress.ip_network(str(text), strict=False)
    except ValueError:
        return False
    return True
