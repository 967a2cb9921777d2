"""Whom the firewall of a host admits, and which hosts that concerns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


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
