"""What survives the loss of a host: etcd and Patroni for the metastore, a virtual IP for the load balancers."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._problem import Problem
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._urls import bracket

ETCD_CLIENT_PORT = 2379
ETCD_PEER_PORT = 2380
PATRONI_PORT = 8008
# Seconds. A leader that is lost is replaced within ttl, the race for its place and the load balancer's next check: 17 to 26 s, less than
# the shortest time for which a task's call is repeated (see _timing). loop_wait + 2 * retry_timeout must not exceed ttl, and Patroni
# takes no ttl below 20.
TTL, LOOP_WAIT, RETRY_TIMEOUT = 20, 5, 5
# A crashed PostgreSQL has this long to start again before another takes its place.
PRIMARY_START_TIMEOUT = 60
# Seconds between adverts: three are missed, and a fraction more, before the next load balancer takes the virtual IP.
ADVERT_SECONDS = 1


class Member(Protocol):
    """What is needed of a host."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def groups(self) -> frozenset[str]: ...
    @property
    def vip_interface(self) -> str: ...


def check(hosts: Sequence[Member], settings: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the parts that are there several times."""
    databases = [host for host in hosts if "metastore" in host.groups]
    stores = [host for host in hosts if "etcd" in host.groups]
    problems = []
    if len(databases) == 2:
        remedy = "Two cannot tell a dead peer from a cut cable, and a write needs a second copy: add a third host, or remove one."
        problems.append(Problem("FD103", "group airflow_metastore", "2 hosts", "1, or 3 and more", remedy))
    if len(databases) > 2 and not stores:
        remedy = "Patroni keeps in etcd who leads. The metastore's own hosts will do: put three of them into airflow_etcd, too."
        problems.append(Problem("FD155", "group airflow_etcd", "no host", "3 or 5 hosts, because the metastore has several", remedy))
    if stores and len(databases) < 2:
        remedy = "Remove the group, or add hosts to airflow_metastore."
        problems.append(Problem("FD155", "group airflow_etcd", f"{len(stores)} hosts", "none, with a single metastore host", remedy))
    elif stores and len(stores) not in (3, 5, 7):
        remedy = "An even number tolerates no more failures than one host less: add or remove one."
        problems.append(Problem("FD156", "group airflow_etcd", f"{len(stores)} hosts", "3, 5 or 7", remedy))
    return problems + _check_vip(hosts, settings)


def _check_vip(hosts: Sequence[Member], settings: Mapping[str, Any]) -> list[Problem]:
    given = str(settings["airflow_vip"])
    if not given:
        return []
    expected, remedy = "an address with its network's prefix length, such as 192.0.2.100/24", "Correct it, or leave it empty."
    try:
        interface = ipaddress.ip_interface(given)
    except ValueError:
        return [Problem("FD157", "airflow_vip", repr(given), expected, remedy)]
    problems = []
    if "/" not in given or interface.network.num_addresses == 1:
        problems.append(Problem("FD157", "airflow_vip", repr(given), expected, remedy))
    for host in hosts:
        if host.address == str(interface.ip):
            problems.append(
                Problem(
                    "FD158",
                    "airflow_vip",
                    f"{interface.ip}, the address of host {host.name}",
                    "an address of its own",
                    "Take one that no machine has.",
                )
            )
        elif "haproxy" in host.groups and "/" in given and not _within(host.address, interface):
            problems.append(
                Problem(
                    "FD158",
                    "airflow_vip",
                    f"{given}, and host {host.name} has the address {host.address}",
                    "load balancers in the network of the virtual IP",
                    "Correct airflow_vip; where there is no common network, put every Airflow host into airflow_haproxy instead.",
                )
            )
    return problems


def _within(address: str, interface: ipaddress.IPv4Interface | ipaddress.IPv6Interface) -> bool:
    """Whether ``address`` is in the network of ``interface``; a name counts as if it were."""
    try:
        return ipaddress.ip_address(address) in interface.network
    except ValueError:
        return True


def _scheme(tls: bool) -> str:
    return "https" if tls else "http"


def etcd(host: Member, members: Iterable[Member], settings: Mapping[str, Any], *, tls: bool) -> dict[str, Any]:
    """The share of one etcd member."""
    scheme = _scheme(tls)
    return {
        "name": host.name,
        # Members of another cluster are refused by it, even when an address is wrong.
        "token": str(settings["airflow_cluster_name"]),
        "peer_url": f"{scheme}://{bracket(host.address)}:{ETCD_PEER_PORT}",
        "client_url": f"{scheme}://{bracket(host.address)}:{ETCD_CLIENT_PORT}",
        "members": {member.name: f"{scheme}://{bracket(member.address)}:{ETCD_PEER_PORT}" for member in members},
    }


def patroni(host: Member, members: Sequence[Member], stores: Iterable[Member], settings: Mapping[str, Any], *, tls: bool) -> dict[str, Any]:
    """The share of one metastore host that Patroni runs."""
    return {
        "name": host.name,
        "address": bracket(host.address),
        "scope": "".join(letter if letter.isalnum() else "_" for letter in str(settings["airflow_cluster_name"])),
        "port": PATRONI_PORT,
        "url": f"{_scheme(tls)}://{bracket(host.address)}:{PATRONI_PORT}",
        "etcd_hosts": [f"{bracket(store.address)}:{ETCD_CLIENT_PORT}" for store in stores],
        "members": [{"name": member.name, "address": member.address} for member in members],
        "ttl_seconds": TTL,
        "loop_wait_seconds": LOOP_WAIT,
        "retry_timeout_seconds": RETRY_TIMEOUT,
        "primary_start_timeout_seconds": PRIMARY_START_TIMEOUT,
    }


def keepalived(host: Member, members: Sequence[Member], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The share of one load balancer in the virtual IP."""
    return {
        "vip": str(settings["airflow_vip"]),
        "router_id": int(settings["airflow_vip_router_id"]),
        "interface": host.vip_interface,
        "address": host.address,
        "peers": [member.address for member in members if member.name != host.name],
        # All begin as backup and none takes the address from a live one, so this only settles who is first.
        "priority": 100 - [member.name for member in members].index(host.name),
        "advert_seconds": ADVERT_SECONDS,
    }


def patroni_change(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What to send to Patroni so that its settings become ``wanted``; empty when they are.

    A parameter of PostgreSQL that nobody wants any more is taken back with None. Other settings of Patroni stay as somebody made them.
    """
    change: dict[str, Any] = {}
    for name, value in wanted.items():
        present = current.get(name)
        if isinstance(value, Mapping):
            inner = patroni_change(present if isinstance(present, Mapping) else {}, value)
            if name == "parameters" and isinstance(present, Mapping):
                inner.update(dict.fromkeys(present.keys() - value.keys()))
            if inner:
                change[name] = inner
        elif str(present) != str(value):
            change[name] = value
    return change
