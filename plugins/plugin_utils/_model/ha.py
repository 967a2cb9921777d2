# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts that survive the loss of a host: etcd and Patroni for the metastore, a virtual IP for the load balancers."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import (
    ETCD_CLIENT_PORT,
    ETCD_PEER_PORT,
    PATRONI_PORT,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import (
    Etcd,
    HostAddress,
    Keepalived,
    Patroni,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.urls import bracket

# Seconds. A leader that is lost is replaced within ttl, the race for its place and the load balancer's next check: 17
# to 26 s, less than the shortest time for which a task's call is repeated (see _timing). loop_wait + 2 * retry_timeout
# must not exceed ttl, and Patroni takes no ttl below 20.
TTL, LOOP_WAIT, RETRY_TIMEOUT = 20, 5, 5
# A crashed PostgreSQL has this long to start again before another takes its place.
PRIMARY_START_TIMEOUT = 60
# Seconds between adverts: three are missed, and a fraction more, before the next load balancer takes the virtual IP.
ADVERT_SECONDS = 1


def _scheme(*, tls: bool) -> str:
    return "https" if tls else "http"


def scope(cluster_name: str) -> str:
    """``cluster_name`` as Patroni and pgBackRest take it: letters, digits and _."""
    return "".join(letter if letter.isalnum() else "_" for letter in cluster_name)


def etcd(host: Host, members: Iterable[Host], settings: Settings) -> Etcd:
    """The share of ``host``, one of the ``members`` of etcd."""
    scheme = _scheme(tls=settings.tls)
    return Etcd(
        name=host.name,
        # Hosts of another cluster are refused by it, even when an address is wrong.
        token=settings.cluster_name,
        peer_url=f"{scheme}://{bracket(host.address)}:{ETCD_PEER_PORT}",
        client_url=f"{scheme}://{bracket(host.address)}:{ETCD_CLIENT_PORT}",
        members={member.name: f"{scheme}://{bracket(member.address)}:{ETCD_PEER_PORT}" for member in members},
    )


def patroni(host: Host, members: Iterable[Host], etcd_hosts: Iterable[Host], settings: Settings) -> Patroni:
    """The share of ``host``, one of the ``members`` that Patroni runs; ``etcd_hosts`` are the hosts of etcd."""
    return Patroni(
        name=host.name,
        address=bracket(host.address),
        scope=scope(settings.cluster_name),
        port=PATRONI_PORT,
        url=f"{_scheme(tls=settings.tls)}://{bracket(host.address)}:{PATRONI_PORT}",
        etcd_hosts=tuple(f"{bracket(each.address)}:{ETCD_CLIENT_PORT}" for each in etcd_hosts),
        members=tuple(HostAddress(name=member.name, address=member.address) for member in members),
        ttl_seconds=TTL,
        loop_wait_seconds=LOOP_WAIT,
        retry_timeout_seconds=RETRY_TIMEOUT,
        primary_start_timeout_seconds=PRIMARY_START_TIMEOUT,
    )


def keepalived(host: Host, members: Sequence[Host], settings: Settings) -> Keepalived:
    """The share of ``host``, one of the ``members`` of airflow_haproxy, in the virtual IP."""
    return Keepalived(
        vip=str(ipaddress.ip_interface(settings.vip)),
        router_id=settings.vip_router_id,
        interface=host.vip_interface,
        address=host.address,
        peers=tuple(member.address for member in members if member.name != host.name),
        # All begin as backup and none takes the address from a live one, so this only settles who is first.
        priority=100 - [member.name for member in members].index(host.name),
        advert_seconds=ADVERT_SECONDS,
    )


def patroni_change(current: Mapping[str, object], wanted: Mapping[str, object]) -> dict[str, object]:
    """What to send to Patroni so that its ``current`` settings become ``wanted``; empty when they are.

    A parameter of PostgreSQL that is not wanted any more is reset with None. Other settings of Patroni stay as they
    are.
    """
    change: dict[str, object] = {}
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
