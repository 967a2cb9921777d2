# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of every host, from the catalogue: what listens, and who may connect."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import (
    EVERY_HOST,
    HOST_PORT_VARIABLES,
    OPTIONAL,
    SERVICES,
    VRRP,
    Port,
    Service,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import broker, metastore
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings


@dataclass(frozen=True)
class OpenPort:
    """A port that a service of one host listens on.

    ``number`` is a port, a range such as ``1000-1010``, or the protocol ``vrrp``. ``peers`` are groups of hosts,
    EVERY_HOST, ``users`` or ``admins``; none means the host itself. ``variable`` is empty where no variable moves it.
    """

    number: int | str
    purpose: str
    peers: tuple[str, ...]
    variable: str
    service: Service

    @property
    def first(self) -> int:
        """The lowest number, 0 for a protocol."""
        return min(self.numbers, default=0)

    @property
    def numbers(self) -> range:
        """All numbers, none for a protocol."""
        if isinstance(self.number, int):
            return range(self.number, self.number + 1)
        if self.number == VRRP:
            return range(0)
        first, _dash, last = self.number.partition("-")
        return range(int(first), int(last) + 1)


def conditions(hosts: Iterable[Host], settings: Settings) -> frozenset[str]:
    """Which CONDITIONS hold of a cluster of ``hosts`` with ``settings``, and which optional services have a host."""
    hosts = list(hosts)
    own_broker = broker.broker_of(settings).group
    known = {
        **{name: any(name in host.groups for host in hosts) for name in OPTIONAL},
        "tls": settings.tls,
        "no_tls": not settings.tls,
        "airflow_3": settings.version.partition(".")[0] == "3",
        "patroni": sum("metastore" in host.groups for host in hosts) > 1,
        "pgbouncer": settings.pgbouncer,
        "vip": bool(settings.vip),
        "managed_metastore": not metastore.is_external(settings),
        "postgresql": settings.metastore_engine == "postgresql",
        "repository_tls": settings.tls or metastore.is_external(settings),
        "rabbitmq": own_broker == "rabbitmq",
        "redis": own_broker == "redis",
        "metrics": settings.metrics,
        "journals": settings.journals,
        "remote_control": broker.broker_of(settings).remote_control,
    }
    return frozenset(name for name, holds in known.items() if holds)


def services_of(groups: Iterable[str]) -> list[Service]:
    """The services that a host with these ``groups`` may run, in the order of the catalogue."""
    groups = {*groups, EVERY_HOST}
    return [service for service in SERVICES if (service.host_group or service.name) in groups]


def number_of(port: Port, host: Host, settings: Settings) -> int | str:
    """The number of ``port`` on ``host``: of a TCP port an integer."""
    if not port.variable:
        return port.number
    own = HOST_PORT_VARIABLES.get(port.variable)
    number: int = getattr(host, own) if own else settings.ports[port.variable]
    return number


def open_ports(host: Host, settings: Settings, holds: frozenset[str]) -> list[OpenPort]:
    """The ports of ``host``, lowest first, where ``holds`` are the cluster's conditions."""
    found = []
    for service in services_of(host.groups):
        for port in service.ports:
            if not holds.issuperset(port.when):
                continue
            peers = (*port.peers, *(peer for condition, peer in port.peers_when if condition in holds))
            found.append(OpenPort(number_of(port, host, settings), port.purpose, peers, port.variable, service))
    return sorted(found, key=lambda port: port.first)
