# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second input of a deployment beside the inventory: what the hosts hold.

Which facts are asked for, and what they say together.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.flightdeck.airflow.plugins.module_utils import _etcd
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import MODES
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import (
    COMPONENT,
    INODES,
    LOG_PORTS,
    LOGS_MB,
    MAIN_PROCESS_MB,
    MEMBER_TIERS,
    POOL_PROCESS_MB,
    SERVICES,
    SYSTEM_MB,
    TASK_MB,
    Component,
    Service,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.addresses import is_address
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Cluster, Node
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.login import LDAP_PACKAGE
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.plain import Plain


@dataclass(frozen=True, kw_only=True)
class DatabasePlace(Plain):
    """Where Airflow's own database is on a host."""

    name: str
    port: int


@dataclass(frozen=True, kw_only=True)
class EtcdPlace(Plain):
    """Where the etcd member of a host answers its clients and its peers."""

    client_url: str
    peer_url: str


@dataclass(frozen=True, kw_only=True)
class TierPlaces(Plain):
    """How the members of tiers on a host are asked: the URLs of the etcd member, the name of the RabbitMQ node."""

    etcd: EtcdPlace | None = None
    rabbitmq: str | None = None


@dataclass(frozen=True, kw_only=True)
class AccountPlace(Plain):
    """The account of Airflow on a host with one of its components; a number of 0 is any."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, kw_only=True)
class Request(Plain):
    """Arguments of the module ``preflight_facts`` for one host; its documentation says what each is."""

    groups: tuple[str, ...]
    directories: tuple[str, ...]
    ports: tuple[int, ...]
    names: tuple[str, ...]
    root: str
    database: DatabasePlace | None
    units: tuple[str, ...]
    wrappers: Mapping[str, str]
    files: tuple[str, ...]
    packages: tuple[str, ...]
    tiers: TierPlaces
    account: AccountPlace | None


@dataclass(frozen=True)
class HostData:
    """What one host said: ``tiers`` of which it has data, and their members as it knows them; None where a tier did
    not answer."""

    tiers: frozenset[str]
    etcd: tuple[_etcd.Member, ...] | None = ()
    rabbitmq: tuple[str, ...] | None = ()


@dataclass(frozen=True, kw_only=True)
class TierSurvey(Plain):
    """What the hosts of a tier said together; roles read it in the fact ``flightdeck_survey``.

    ``new`` is true when none has data. ``origins`` have data; ``empty`` have none where others have; ``lost`` says as
    what the others still count some of these; of ``unknown`` ones the others that answer are too few to say;
    ``joining`` are those to announce to a running etcd before they start; ``source`` is a host to ask, or empty.
    """

    new: bool
    origins: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    lost: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    joining: tuple[str, ...] = ()
    source: str = ""


def needed_directories(cluster: Cluster, name: str) -> dict[str, int]:
    """Directories of host ``name`` with the MiB that must be free; what is asked for and what is checked both
    follow from it."""
    paths = {"root": cluster.directories.root, "home": cluster.directories.home, "log_dir": cluster.directories.log_dir}
    if (backup := cluster.nodes[name].backup) is not None:
        paths["repository"] = backup.directory
    needs = (
        (paths.get(place, place), size)
        for service in node_services(cluster.nodes[name])
        for place, size in service.disk_mb.items()
    )
    return dict(needs)


def lacks_room_for_logs(disks: Mapping[str, Mapping[str, int]], log_dir: str) -> bool:
    """Whether a host with these ``disks`` is to remove old logs from ``log_dir`` before its services start."""
    logs = disks.get(log_dir, {})
    return bool(logs.get("free_mb", LOGS_MB) < LOGS_MB or 0 <= logs.get("free_inodes", -1) < INODES)


def node_services(node: Node) -> list[Service]:
    """The services of a host, in the order of the catalogue."""
    return [service for service in SERVICES if service.name in node.services]


def _runs_patroni(node: Node) -> bool:
    return node.metastore is not None and node.metastore.patroni is not None


def service_ports(cluster: Cluster, name: str) -> dict[int, str]:
    """Ports that the services of host ``name`` listen on, with the service's title."""
    return {entry.port: entry.service for entry in cluster.nodes[name].ports}


def _node_host(nodename: str) -> str:
    """The part of a RabbitMQ node's name that every node, itself included, has to resolve."""
    return nodename.partition("@")[2]


def _named(cluster: Cluster, node: Node) -> Iterator[tuple[str, list[str]]]:
    """What a host has to resolve names for, with the names and addresses."""
    addresses = {group: [host.address for host in hosts] for group, hosts in cluster.hosts_of.items()}
    if node.rabbitmq:
        yield "its RabbitMQ node", [_node_host(node.rabbitmq.nodename)]
        peers = [_node_host(peer) for peer in node.rabbitmq.nodes]
        yield "a peer of RabbitMQ", peers + (addresses["rabbitmq"] if len(peers) > 1 else [])
    if node.metastore:
        yield "a client of PostgreSQL", addresses["haproxy"]
        # The pgBackRest of Debian 12 does not find addresses in certificates.
        yield "the repository of backups", [host.name for host in cluster.hosts_of["backup"]]
    if node.backup:
        yield "a metastore server", [host.name for host in cluster.hosts_of["metastore"]]
    if _runs_patroni(node):
        yield "a metastore server", addresses["metastore"]
    if node.etcd or _runs_patroni(node):
        yield "a member of etcd", addresses["etcd"]
    if node.haproxy:
        yield (
            "a server behind HAProxy",
            [server.address for listener in node.haproxy.listeners for server in listener.servers],
        )
    # A virtual IP takes the place of the first load balancer.
    elif node.airflow and not cluster.nodes[cluster.hosts_of["haproxy"][0].name].keepalived:
        yield "the load balancer", addresses["haproxy"][:1]
    if "webserver" in node.components:
        yield "a load balancer", addresses["haproxy"]
        yield "a host with logs of tasks", [address for component in LOG_PORTS for address in addresses[component]]


def needed_names(cluster: Cluster, name: str) -> dict[str, str]:
    """Names that host ``name`` must resolve, its own among them, with what for.

    What will stand in /etc/hosts needs no look-up.
    """
    known = {entry.name for entry in cluster.hosts_entries if cluster.manage_hosts_file and is_address(entry.address)}
    names: dict[str, str] = {}
    for purpose, needed in _named(cluster, cluster.nodes[name]):
        for each in needed:
            if not is_address(each) and each not in known:
                names.setdefault(each, purpose)
    return names


def own_names(node: Node) -> set[str]:
    """Names for which a host itself may have a loopback address. etcd and Patroni listen on theirs, and tell it to
    the others."""
    own = {_node_host(node.rabbitmq.nodename)} if node.rabbitmq else set()
    return own - {node.address} if node.etcd or _runs_patroni(node) else own | {node.address}


def _installations(node: Node) -> list[str]:
    """Services whose installation by others would be in the way: Airflow as one, and Patroni apart from a single
    PostgreSQL."""
    names = ("airflow" if isinstance(service, Component) else service.name for service in node_services(node))
    return list(dict.fromkeys("patroni" if _runs_patroni(node) and name == "metastore" else name for name in names))


def wanted(cluster: Cluster, name: str) -> Request:
    """What host ``name`` is asked for."""
    node = cluster.nodes[name]
    return Request(
        groups=tuple(_installations(node)),
        directories=tuple(sorted(needed_directories(cluster, name))),
        ports=tuple(sorted(service_ports(cluster, name))),
        names=tuple(sorted(needed_names(cluster, name))),
        root=cluster.directories.root,
        database=_database(node),
        # Whatever the name continues with: those of other installations count, too.
        units=tuple(
            sorted({f"{unit.rstrip('@*')}*.service" for each in COMPONENT.values() for unit in each.unit.values()})
        ),
        wrappers={mode.unit: mode.wrapper.program for mode in MODES},
        files=tuple(path for each in COMPONENT.values() for path in each.files),
        packages=tuple(_packages(cluster, node)),
        tiers=TierPlaces(
            etcd=EtcdPlace(client_url=node.etcd.client_url, peer_url=node.etcd.peer_url) if node.etcd else None,
            rabbitmq=node.rabbitmq.nodename if node.rabbitmq else None,
        ),
        account=AccountPlace(name=cluster.account, uid=cluster.uid, gid=cluster.gid) if node.airflow else None,
    )


def _packages(cluster: Cluster, node: Node) -> list[str]:
    driver = ["python3-mysqldb"] if node.components and cluster.metastore.engine == "mysql" else []
    if node.airflow and node.airflow.login and node.airflow.login.kind == "ldap":
        driver.append(LDAP_PACKAGE)
    # Without the version and the architecture.
    own = [re.split("[:=]", package)[0] for package in _named_packages(node)]
    return [
        *dict.fromkeys([*(package for service in node_services(node) for package in service.packages), *driver, *own])
    ]


def _named_packages(node: Node) -> tuple[str, ...]:
    return (*node.airflow.system_packages, *node.airflow.build_packages) if node.airflow else ()


def _database(node: Node) -> DatabasePlace | None:
    """Where Airflow's own database is on a host; None on all others."""
    if not node.metastore:
        return None
    return DatabasePlace(name=node.metastore.databases[0].name, port=node.metastore.port)


def memory_need(node: Node) -> dict[str, int]:
    """MiB that the services of a host need at least, by service."""
    need = {service.name: service.memory_mb for service in node_services(node) if service.memory_mb}
    if node.airflow and "worker" in node.components:
        need["worker"] = len(node.airflow.queues) * (MAIN_PROCESS_MB + POOL_PROCESS_MB + TASK_MB)
    return {"system": SYSTEM_MB, **need}


def _members(tier: str, cluster: Cluster) -> list[str]:
    """Hosts of a tier, none when it has one member only."""
    names = [host.name for host in cluster.hosts_of[tier]]
    return names if len(names) > 1 else []


def survey(found: Mapping[str, HostData], cluster: Cluster) -> dict[str, TierSurvey]:
    """What is known of each tier from those of its hosts that were ``found`` to answer."""
    return {tier: _surveyed(tier, found, cluster) for tier in MEMBER_TIERS}


def _surveyed(tier: str, found: Mapping[str, HostData], cluster: Cluster) -> TierSurvey:
    members = _members(tier, cluster)
    seen = [name for name in members if name in found]
    origins = [name for name in seen if tier in found[name].tiers]
    empty = [name for name in seen if name not in origins] if origins else []
    answered = origins
    lost: dict[str, str] = {}
    joining: list[str] = []
    if tier == "rabbitmq":
        clusters = {name: nodes for name in origins if (nodes := found[name].rabbitmq) is not None}
        answered = list(clusters)
        known = {node for nodes in clusters.values() for node in nodes}
        names = {name: node.nodename for name in empty if (node := cluster.nodes[name].rabbitmq)}
        lost = {name: node for name, node in names.items() if node in known}
    elif tier == "etcd":
        lists = {name: listed for name in origins if (listed := found[name].etcd) is not None}
        answered = list(lists)
        urls = {name: member.peer_url for name in empty if (member := cluster.nodes[name].etcd)}
        counted = {name: [_etcd.find(listed, name, url) for listed in lists.values()] for name, url in urls.items()}
        # Of the members that a cluster began with, one that has never started may still do so: an interrupted first
        # deployment.
        lost = {name: own["name"] for name, entries in counted.items() for own in entries if own and own["started"]}
        # The first answer is that of the source.
        joining = [
            name for name, own in counted.items() if own and name not in lost and not (own[0] and own[0]["name"])
        ]
    # Most members, or all that have data: fewer may not know yet that a host was a member. The metastore has no list of
    # members: Patroni makes a follower of a host without data.
    enough = len(answered) == len(origins) or 2 * len(answered) > len(members)
    return TierSurvey(
        new=bool(members) and not origins,
        origins=tuple(origins),
        empty=tuple(empty),
        lost=lost,
        unknown=() if enough else tuple(name for name in empty if name not in lost),
        joining=tuple(joining),
        source=next(iter([*answered, *origins]), ""),
    )


def members_unseen(
    tier: str, name: str, known: Mapping[str, TierSurvey], hosts: Collection[str], cluster: Cluster
) -> bool:
    """Whether host ``name`` has no data and most members of its ``tier``, which may be a cluster, did not answer.

    ``known`` is the survey, ``hosts`` are those that answered.
    """
    members = _members(tier, cluster)
    return (
        name in members
        and not known[tier].origins
        and 2 * len([each for each in members if each not in hosts]) > len(members)
    )
