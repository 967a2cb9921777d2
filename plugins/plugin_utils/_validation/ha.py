"""Checks of the parts that are there several times."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

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
    return problems + _check_vip(hosts, settings)


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
    if "/" not in given or interface.network.num_addresses == 1:
        problems.append(Problem(Code.FD157, "airflow_vip", repr(given), expected, remedy))
    for host in hosts:
        if host.address == str(interface.ip):
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


def _within(address: str, interface: ipaddress.IPv4Interface | ipaddress.IPv6Interface) -> bool:
    """Whether ``address`` is in the network of ``interface``; a name counts as if it were."""
    try:
        return ipaddress.ip_address(address) in interface.network
    except ValueError:
        return True
