# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the firewall's variables."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.addresses import is_address
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem, on_hosts


def check(
    addresses: Mapping[str, str],
    settings: Settings,
    extra_rules: Mapping[str, Iterable[str]] | None = None,
    ssh_ports: Mapping[str, int] | None = None,
) -> list[Problem]:
    """What a firewall could not be made of, or would lock Ansible out.

    ``addresses`` and ``extra_rules`` map hosts to what the model has of them, ``ssh_ports`` those hosts that Ansible
    reaches over SSH on a port that the inventory names.
    """
    # Names differ from host to host, and the mistake is the same.
    unknown = Problem(
        Code.FD150,
        "airflow_address",
        "a name",
        "an IP address, because the firewall admits addresses",
        "Set airflow_address, or airflow_firewall: false.",
    )
    named = [(name, unknown) for name, address in addresses.items() if not is_address(address)]
    problems = on_hosts(named, everybody=len(addresses))
    sources = {
        "airflow_firewall_ssh_sources": settings.firewall_ssh_sources,
        "airflow_firewall_user_sources": settings.firewall_user_sources,
        "airflow_firewall_admin_sources": settings.firewall_admin_sources,
    }
    problems += [
        problem
        for variable, entries in sources.items()
        for entry in entries
        for problem in check_source(variable, entry)
    ]
    problems += _check_ssh_ports(settings.firewall_ssh_ports, ssh_ports or {})
    expected, remedy = (
        "one line of nftables for the input chain, such as 'tcp dport 9100 accept'",
        "Write one rule per entry.",
    )
    problems += on_hosts(
        (name, Problem(Code.FD154, "airflow_firewall_extra_rules", repr(rule), expected, remedy))
        for name, own_rules in (extra_rules or {}).items()
        for rule in own_rules
        if not rule.strip() or not _is_one_line(rule)
    )
    return problems


def _check_ssh_ports(ports: Collection[int], used: Mapping[str, int]) -> list[Problem]:
    """Problems of the ports that stay open for SSH; ``used`` are those that Ansible connects to, by host."""
    variable = "airflow_firewall_ssh_ports"
    problems = []
    valid = {port for port in ports if 1 <= port <= 65535}
    for port in ports:
        if port not in valid:
            problems.append(
                Problem(Code.FD152, variable, str(port), "1 to 65535", "Name the port that sshd listens on.")
            )
    if not ports:
        problems.append(
            Problem(
                Code.FD152,
                variable,
                "no port",
                "at least one",
                "Without it no client, not even Ansible, reaches the hosts.",
            )
        )
    for port in sorted(set(used.values()) - valid if valid else ()):
        names = [name for name, its in used.items() if its == port]
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        problems.append(
            Problem(
                Code.FD153,
                variable,
                ", ".join(map(str, sorted(valid))),
                f"{port} among them, the ansible_port of {shown}",
                "Add it, also where it is only forwarded to sshd's own port: nothing listens there then.",
            )
        )
    return problems


def check_source(variable: str, entry: str) -> list[Problem]:
    """The problem of ``entry`` of ``variable``, an address or network, if any."""
    expected, remedy = "an IP address or a network such as 192.0.2.0/24", "Correct the entry."
    try:
        network = ipaddress.ip_network(entry)
    except ValueError:
        pass
    else:
        if "%" not in entry and not (
            isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped
        ):
            return []
        return [
            Problem(
                Code.FD151,
                variable,
                repr(entry),
                f"{expected}, without a zone and not IPv4 in the form of IPv6",
                remedy,
            )
        ]
    if _is_network(entry):
        # Host bits are set: a slip either way, and one of the two ways opens more than was meant.
        interface = ipaddress.ip_interface(entry)
        expected, remedy = f"{interface.ip} or {interface.network}", "Write the one that you mean."
    return [Problem(Code.FD151, variable, repr(entry), expected, remedy)]


def _is_one_line(rule: str) -> bool:
    """Whether ``rule`` is one line that closes just the braces that it opens and holds no second statement."""
    depth = 0
    for character in re.sub(r'"[^"\n]*"', "", rule):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0 or character in "\n\r;":
            return False
    return depth == 0


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
