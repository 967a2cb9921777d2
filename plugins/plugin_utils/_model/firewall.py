# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom the firewall of a host admits, and which hosts that concerns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping


def sources(
    peers: Iterable[str], members: Mapping[str, Iterable[str]], given: Mapping[str, Iterable[str]]
) -> list[str]:
    """Addresses and networks of ``peers``; empty for all.

    ``members`` are addresses by group, ``given`` those of users and admins.
    """
    found: set[str] = set()
    for peer in peers:
        if peer not in given:
            found.update(members[peer])
        elif given[peer]:
            found.update(given[peer])
        elif peer == "users":
            return []
    # Without a peer a loopback address stands here, which has a rule of its own.
    return sorted(found) or ["127.0.0.1"]


def peers(addresses: Mapping[str, str], sources: Mapping[str, Collection[str]], run: Iterable[str]) -> list[str]:
    """The hosts outside of ``run``, a list of hosts, whose firewall has a rule for one of its hosts.

    ``addresses`` are those of all hosts by name, ``sources`` all that the rules of each one's firewall admit.
    """
    inside = {addresses[name] for name in run}
    return [name for name, address in addresses.items() if address not in inside and inside.intersection(sources[name])]
