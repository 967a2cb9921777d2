# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nftables rules that enforce the port matrix."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.module_utils._host import FIREWALL_TABLE
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import VRRP
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Firewall


def _match(addresses: Sequence[str]) -> list[str]:
    """nftables' conditions for packets from ``addresses``, one per address family; a single empty one for any
    address."""
    if not addresses:
        return [""]
    networks = list(dict.fromkeys(ipaddress.ip_network(address, strict=False) for address in addresses))
    wide = [network for network in networks if network.num_addresses > 1]
    matches = []
    for version, family, protocol in ((4, "ipv4", "ip"), (6, "ipv6", "ip6")):
        own = [network for network in networks if network.version == version]
        # nft refuses a set whose entries overlap.
        entries = [
            network for network in own if not any(other != network and _within(network, other) for other in wide)
        ]
        if any(network.prefixlen == 0 for network in entries):
            matches.append(f"meta nfproto {family} ")
        elif entries:
            shown = (str(network if network.num_addresses > 1 else network.network_address) for network in entries)
            matches.append(f"{protocol} saddr {{ {', '.join(shown)} }} ")
    return matches


def _within(inner: Any, outer: Any) -> bool:
    """Whether all of the network ``inner`` is in ``outer``, which may be of the other family."""
    return inner.version == outer.version and inner.subnet_of(outer)


def ruleset(firewall: Firewall) -> str:
    """The text that ``nft -f`` loads: it replaces the managed table as a whole and changes no other."""
    lines = [
        "type filter hook input priority filter; policy drop;",
        'iif "lo" accept',
        "ct state established,related accept",
        "ct state invalid drop",
        # ICMP of both families by number: a small system has no list of their names.
        "meta l4proto { 1, 58 } accept",
        'ip6 saddr fe80::/10 udp dport 546 accept comment "DHCPv6"',
    ]
    for port in firewall.ssh_ports:
        lines += [f'{match}tcp dport {port} accept comment "SSH"' for match in _match(firewall.ssh_sources)]
    for rule in firewall.rules:
        # VRRP is a protocol beside TCP; by number, because a small system has no list of their names.
        wanted = "meta l4proto 112" if rule.port == VRRP else f"tcp dport {rule.port}"
        lines += [f'{match}{wanted} accept comment "{rule.why}"' for match in _match(rule.sources)]
    lines += firewall.extra_rules
    chain = "\n".join(f"        {line}" for line in lines)
    return f"""# Managed by Ansible
table inet {FIREWALL_TABLE}
delete table inet {FIREWALL_TABLE}
table inet {FIREWALL_TABLE} {{
    chain input {{
{chain}
    }}
}}
"""
