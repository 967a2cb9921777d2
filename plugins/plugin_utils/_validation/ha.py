# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the parts that are there several times."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.addresses import canonical, unusable
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem


def check(hosts: Sequence[Host], settings: Settings) -> list[Problem]:
    """What is wrong with the parts that are there several times."""
    databases = [host for host in hosts if "metastore" in host.groups]
    etcd_hosts = [host for host in hosts if "etcd" in host.groups]
    problems = []
    if len(databases) == 2:
        remedy = (
            "Two cannot tell a dead peer from a cut cable, and a write needs a second copy: add a third host, or "
            "remove one."
        )
        problems.append(Problem(Code.FD103, "group airflow_metastore", "2 hosts", "1, or 3 and more", remedy))
    if len(databases) > 2 and not etcd_hosts:
        remedy = (
            "Patroni stores its leader lock in etcd. The metastore's own hosts are enough: put three of them into "
            "airflow_etcd, too."
        )
        problems.append(
            Problem(
                Code.FD155, "group airflow_etcd", "no host", "3 or 5 hosts, because the metastore has several", remedy
            )
        )
    if len(databases) > 1 and etcd_hosts and len(etcd_hosts) not in (3, 5, 7):
        remedy = "An even number tolerates no more failures than one host less: add or remove one."
        problems.append(Problem(Code.FD156, "group airflow_etcd", f"{len(etcd_hosts)} hosts", "3, 5 or 7", remedy))
    if len(databases) > 1:
        problems += _check_slots([host.name for host in databases])
    return problems + _check_vip(hosts, settings)


def slot_name(member: str) -> str:
    """The name of the replication slot that Patroni gives to ``member``."""
    return re.sub("[-.]", "_", member.lower())[:63]


def _check_slots(members: Sequence[str]) -> list[Problem]:
    """A problem for each of the ``members`` of Patroni that would share a replication slot with one before it."""
    seen: dict[str, str] = {}
    problems = []
    for name in members:
        other = seen.setdefault(slot_name(name), name)
        if other != name and other.lower() != name.lower():
            found = f"a name that Patroni takes for that of host {other}"
            expected = "names that differ in more than '-', '_' and '.' within their first 63 characters"
            remedy = "Rename one: both would have the replication slot " + slot_name(name) + "."
            problems.append(Problem(Code.FD118, f"host {name} of airflow_metastore", found, expected, remedy))
    return problems


def _check_vip(hosts: Sequence[Host], settings: Settings) -> list[Problem]:
    given = settings.vip
    if not given:
        return []
    expected, remedy = (
        "an address with its network's prefix length, such as 192.0.2.100/24",
        "Correct it, or leave it empty.",
    )
    try:
        interface = ipaddress.ip_interface(given)
    except ValueError:
        return [Problem(Code.FD157, "airflow_vip", repr(given), expected, remedy)]
    problems = []
    if (fault := _vip_fault(given, interface)) is not None:
        problems.append(Problem(Code.FD157, "airflow_vip", f"{given!r}{fault}", expected, remedy))
    for host in hosts:
        if canonical(host.address) == str(interface.ip):
            problems.append(
                Problem(
                    Code.FD158,
                    "airflow_vip",
                    f"{interface.ip}, the address of host {host.name}",
                    "an address of its own",
                    "Take one that no machine has.",
                )
            )
        elif "haproxy" in host.groups and "/" in given and not _within(host.address, interface):
            problems.append(
                Problem(
                    Code.FD158,
                    "airflow_vip",
                    f"{given}, and host {host.name} has the address {host.address}",
                    "load balancers in the network of the virtual IP",
                    "Correct airflow_vip; where there is no common network, put every Airflow host into "
                    "airflow_haproxy instead.",
                )
            )
    return problems


def _vip_fault(given: str, interface: ipaddress.IPv4Interface | ipaddress.IPv6Interface) -> str | None:
    """Why ``interface``, which ``given`` means, can be no virtual IP, to stand behind ``given``; None when it can."""
    network = interface.network
    if "%" in given or not given.partition("/")[2].isdecimal() or network.num_addresses == 1:
        return ""
    # In networks of two addresses both are hosts.
    if interface.ip == network.network_address and network.num_addresses > 2:
        return ", the address of the network"
    if interface.version == 4 and interface.ip == network.broadcast_address and network.num_addresses > 2:
        return ", the broadcast address of the network"
    why = "a loopback address" if interface.ip.is_loopback else unusable(str(interface.ip))
    if not why and interface.ip.is_reserved:
        why = "an address that no host can have"
    return f", {why}" if why else None


def _within(address: str, interface: ipaddress.IPv4Interface | ipaddress.IPv6Interface) -> bool:
    """Whether ``address`` is in the network of ``interface``; a name counts as if it were."""
    try:
        return ipaddress.ip_address(address) in interface.network
    except ValueError:
        return True
