"""The second input of a deployment beside the inventory: what the hosts hold. Which facts are asked for, and what they say together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.module_utils import _etcd
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import MODES
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import (
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


def needed_directories(cluster: Mapping[str, Any], name: str) -> dict[str, int]:
    """Directories of a host with the MiB that must be free; what is asked for and what is checked both follow from it."""
    paths = cluster["directories"]
    needs = (
        (str(paths.get(place, place)), size) for service in node_services(cluster["nodes"][name]) for place, size in service.disk_mb.items()
    )
    return dict(needs)


def node_services(node: Mapping[str, Any]) -> list[Service]:
    """The services of a host, in the order of the catalogue."""
    return [service for service in SERVICES if service.name in node or service.name in node["components"]]


def service_ports(cluster: Mapping[str, Any], name: str) -> dict[int, str]:
    """Ports that the services of a host listen on, with the service's title."""
    return {int(entry["port"]): str(entry["service"]) for entry in cluster["nodes"][name]["ports"]}


def _node_host(nodename: str) -> str:
    """The part of a RabbitMQ node's name that every node, itself included, has to resolve."""
    return nodename.partition("@")[2]


def _named(cluster: Mapping[str, Any], node: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """What a host has to resolve names for, with the names and addresses."""
    addresses = {group: [str(host["address"]) for host in hosts] for group, hosts in cluster["hosts_of"].items()}
    if "rabbitmq" in node:
        share = node["rabbitmq"]
        yield "its RabbitMQ node", [_node_host(share["nodename"])]
        peers = [_node_host(peer) for peer in share["nodes"]]
        yield "a peer of RabbitMQ", peers + (addresses["rabbitmq"] if len(peers) > 1 else [])
    if "metastore" in node:
        yield "a client of PostgreSQL", addresses["haproxy"]
    if "metastore" in node and node["metastore"]["patroni"]:
        yield "a metastore server", addresses["metastore"]
    if "etcd" in node or ("metastore" in node and node["metastore"]["patroni"]):
        yield "a member of etcd", addresses["etcd"]
    if "haproxy" in node:
        servers = [server for listener in node["haproxy"]["listeners"] for server in listener["servers"]]
        yield "a server behind HAProxy", [str(server["address"]) for server in servers]
    # A virtual IP takes the place of the first load balancer.
    elif "airflow" in node and not any("keepalived" in other for other in cluster["nodes"].values()):
        yield "the load balancer", addresses["haproxy"][:1]
    if "webserver" in node["components"]:
        yield "a load balancer", addresses["haproxy"]
        yield "a host with logs of tasks", addresses["worker"] + addresses["triggerer"]


def needed_names(cluster: Mapping[str, Any], name: str) -> dict[str, str]:
    """Names that a host must resolve, its own among them, with what for. What will stand in /etc/hosts needs no look-up."""
    written = [entry for entry in cluster["hosts_entries"] if cluster["manage_hosts_file"] and is_address(entry["address"])]
    known = {entry["name"] for entry in written}
    names: dict[str, str] = {}
    for purpose, needed in _named(cluster, cluster["nodes"][name]):
        for each in needed:
            if not is_address(each) and each not in known:
                names.setdefault(each, purpose)
    return names


def own_names(node: Mapping[str, Any]) -> set[str]:
    """Names for which a host itself may have a loopback address. etcd and Patroni listen on theirs, and tell it to the others."""
    told = "etcd" in node or ("metastore" in node and node["metastore"]["patroni"])
    own = {_node_host(node["rabbitmq"]["nodename"])} if "rabbitmq" in node else set()
    return own - {node["address"]} if told else own | {node["address"]}


def _installations(node: Mapping[str, Any]) -> list[str]:
    """Services whose installation by others would be in the way: Airflow as one, and Patroni apart from a single PostgreSQL."""
    patroni = "metastore" in node and node["metastore"]["patroni"]
    names = ("airflow" if isinstance(service, Component) else service.name for service in node_services(node))
    return list(dict.fromkeys("patroni" if patroni and name == "metastore" else name for name in names))


def wanted(cluster: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Arguments of the module ``preflight_facts`` for host ``name``."""
    return {
        "groups": _installations(cluster["nodes"][name]),
        "directories": sorted(needed_directories(cluster, name)),
        "ports": sorted(service_ports(cluster, name)),
        "names": sorted(needed_names(cluster, name)),
        "wrappers": {mode.unit: mode.wrapper.program for mode in MODES},
        "root": str(cluster["directories"]["root"]),
        "database": _database(cluster["nodes"][name]),
        "packages": _packages(cluster, name),
        "stores": _asked_stores(cluster["nodes"][name]),
    }


def _asked_stores(node: Mapping[str, Any]) -> dict[str, str]:
    """By store on a host, how its data and its members are found: the URL of an etcd member, the name of a RabbitMQ node."""
    places = {"etcd": "client_url", "rabbitmq": "nodename"}
    return {store: str(node[store][key]) for store, key in places.items() if store in node}


def _packages(cluster: Mapping[str, Any], name: str) -> list[str]:
    node = cluster["nodes"][name]
    driver = ["python3-mysqldb"] if node["components"] and cluster["metastore"]["engine"] == "mysql" else []
    return [*dict.fromkeys(package for service in node_services(node) for package in service.packages), *driver]


def _database(node: Mapping[str, Any]) -> dict[str, Any] | None:
    """Where Airflow's own database is on a host; None on all others."""
    if "metastore" not in node:
        return None
    return {"name": node["metastore"]["databases"][0]["name"], "port": node["metastore"]["port"]}


def memory_need(node: Mapping[str, Any]) -> dict[str, int]:
    """MiB that the services of a host need at least, by service."""
    need = {service.name: service.memory_mb for service in node_services(node) if service.memory_mb}
    if "worker" in node["components"]:
        need["worker"] = len(node["airflow"]["queues"]) * (MAIN_PROCESS_MB + POOL_PROCESS_MB + TASK_MB)
    return {"system": SYSTEM_MB, **need}


def _members(store: str, cluster: Mapping[str, Any]) -> list[str]:
    """Hosts of a store, none when it has one member only."""
    names = [name for name, node in cluster["nodes"].items() if store in node]
    return names if len(names) > 1 else []


def _has_data(store: str, facts: Mapping[str, Any]) -> bool:
    return bool(facts["flightdeck_postgresql_data"] if store == "metastore" else facts["preflight"]["stores"][store]["data"])


def survey(hosts: Mapping[str, Mapping[str, Any]], cluster: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What is known of each store by those of its ``hosts`` that were looked at.

    ``new`` is true when none has data. ``origins`` have data; ``empty`` have none where others have; ``lost`` says as what the others still
    count some of these; ``joining`` are those of which a running etcd has to be told before they start; ``source`` is a host to ask.
    """
    found = {}
    for store in MEMBER_TIERS:
        members = _members(store, cluster)
        seen = [name for name in members if name in hosts and "error" not in hosts[name]["preflight"]]
        origins = [name for name in seen if _has_data(store, hosts[name])]
        empty = [name for name in seen if name not in origins] if origins else []
        new = bool(members) and not origins
        found[store] = {"new": new, "origins": origins, "empty": empty, "lost": {}, "joining": [], "source": origins[0] if origins else ""}
        said = {name: hosts[name]["preflight"]["stores"][store]["members"] for name in origins} if store != "metastore" else {}
        if store == "rabbitmq":
            nodes = {name: str(cluster["nodes"][name]["rabbitmq"]["nodename"]) for name in empty}
            known = {node for listed in said.values() for node in listed}
            found[store]["lost"] = {name: node for name, node in nodes.items() if node in known}
        elif any(said.values()):
            source = next(name for name, listed in said.items() if listed)
            own = {name: _etcd.find(said[source], name, str(cluster["nodes"][name]["etcd"]["peer_url"])) for name in empty}
            # Of the members that a cluster began with, one that has never started may still do so: an interrupted first deployment.
            lost = {name: member["name"] for name, member in own.items() if member and member["started"]}
            joining = [name for name, member in own.items() if not member or not member["name"]]
            found[store] |= {"source": source, "lost": lost, "joining": joining}
    return found


def members_unseen(
    store: str, name: str, known: Mapping[str, Mapping[str, Any]], hosts: Mapping[str, Mapping[str, Any]], cluster: Mapping[str, Any]
) -> bool:
    """Whether ``name`` has no data and most members of its store, which may be a cluster, were not looked at."""
    members = _members(store, cluster)
    return name in members and not known[store]["origins"] and 2 * len([each for each in members if each not in hosts]) > len(members)
