"""The second input of a deployment beside the inventory: what the hosts hold. Which facts are asked for, and what they say together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.module_utils import _etcd
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import (
    BROKER_MARGIN_MB,
    DISK_MB,
    DISTRIBUTION_PORT,
    EPMD_PORT,
    ETCD_CLIENT_PORT,
    ETCD_PEER_PORT,
    MAIN_PROCESS_MB,
    MEMBER_TIERS,
    MEMORY_MB,
    PACKAGES,
    POOL_PROCESS_MB,
    TASK_MB,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.addresses import is_address


def needed_directories(cluster: Mapping[str, Any], name: str) -> dict[str, int]:
    """Directories of a host with the MiB that must be free; ``wanted`` and ``check`` both read it."""
    node = cluster["nodes"][name]
    needs = {}
    if "metastore" in node:
        needs["/var/lib/postgresql"] = DISK_MB["/var/lib/postgresql"]
    if "redis" in node:
        needs["/var/lib/redis"] = DISK_MB["/var/lib/redis"]
    if "rabbitmq" in node:
        needs["/var/lib/rabbitmq"] = int(node["rabbitmq"]["disk_free_limit_mb"]) + BROKER_MARGIN_MB
    if "airflow" in node:
        for purpose in ("home", "log_dir", "root"):
            needs[str(cluster["directories"][purpose])] = DISK_MB[purpose]
    return needs


def _own_ports(share: Any) -> list[int]:
    """Every port in a service's share of the model that is its own, not that of a server behind it."""
    if isinstance(share, list):
        return [port for entry in share for port in _own_ports(entry)]
    if not isinstance(share, Mapping):
        return []
    found = []
    for key, value in share.items():
        if key == "port" or key.endswith("_port") or key == "redirect_from":
            found += [int(value)] if value else []
        elif key not in ("servers", "config"):
            found += _own_ports(value)
    return found


def service_ports(cluster: Mapping[str, Any], name: str) -> dict[int, str]:
    """Ports that the services of a host listen on, with what for."""
    node = cluster["nodes"][name]
    ports: dict[int, str] = {}
    services = {"metastore": "PostgreSQL", "rabbitmq": "RabbitMQ", "redis": "Redis", "haproxy": "HAProxy", "pgbouncer": "PgBouncer"}
    for group, purpose in services.items():
        ports.update(dict.fromkeys(_own_ports(node.get(group, {})), purpose))
    if "rabbitmq" in node:
        ports.update({EPMD_PORT: "RabbitMQ", DISTRIBUTION_PORT: "RabbitMQ"})
    if "etcd" in node:
        ports.update(dict.fromkeys((ETCD_CLIENT_PORT, ETCD_PEER_PORT), "etcd"))
    if "airflow" in node:
        config = node["airflow"]["config"]
        places = {
            "webserver": ("api", "port") if cluster["version"]["major"] >= 3 else ("webserver", "web_server_port"),
            "worker": ("logging", "worker_log_server_port"),
            "triggerer": ("logging", "trigger_log_server_port"),
        }
        for component, (section, option) in places.items():
            if component in node["components"]:
                ports[int(config[section][option])] = f"the {component}"
    return ports


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


def groups_of(node: Mapping[str, Any]) -> list[str]:
    """The services of a host, all Airflow components as one."""
    return [group for group in ("etcd", "metastore", "rabbitmq", "redis", "haproxy", "airflow") if group in node]


def _services(node: Mapping[str, Any]) -> list[str]:
    """``groups_of``, where a metastore under Patroni is another service than a single server."""
    patroni = "metastore" in node and node["metastore"]["patroni"]
    return ["patroni" if patroni and group == "metastore" else group for group in groups_of(node)]


def wanted(cluster: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Arguments of the module ``preflight_facts`` for host ``name``."""
    return {
        "groups": _services(cluster["nodes"][name]),
        "directories": sorted(needed_directories(cluster, name)),
        "ports": sorted(service_ports(cluster, name)),
        "names": sorted(needed_names(cluster, name)),
        "root": str(cluster["directories"]["root"]),
        "database": _database(cluster["nodes"][name]),
        "packages": _packages(cluster, name),
        "stores": _asked_stores(cluster["nodes"][name]),
    }


def _asked_stores(node: Mapping[str, Any]) -> dict[str, Any]:
    """By store on a host, how its data and its members are found: the URLs of an etcd member, the name of a RabbitMQ node."""
    asked: dict[str, Any] = {}
    if "etcd" in node:
        asked["etcd"] = {key: str(node["etcd"][key]) for key in ("client_url", "peer_url")}
    if "rabbitmq" in node:
        asked["rabbitmq"] = str(node["rabbitmq"]["nodename"])
    return asked


def _packages(cluster: Mapping[str, Any], name: str) -> list[str]:
    groups = groups_of(cluster["nodes"][name])
    driver = ["python3-mysqldb"] if "airflow" in groups and cluster["metastore"]["engine"] == "mysql" else []
    return [package for group in groups for package in PACKAGES[group]] + driver


def _database(node: Mapping[str, Any]) -> dict[str, Any] | None:
    """Where Airflow's own database is on a host; None on all others."""
    if "metastore" not in node:
        return None
    return {"name": node["metastore"]["databases"][0]["name"], "port": node["metastore"]["port"]}


def memory_need(node: Mapping[str, Any]) -> dict[str, int]:
    """MiB that the services of a host need at least, by service."""
    need = {group: MEMORY_MB[group] for group in ("etcd", "metastore", "rabbitmq", "redis", "haproxy") if group in node}
    need |= {component: MEMORY_MB[component] for component in node["components"] if component != "worker"}
    if "worker" in node["components"]:
        need["worker"] = len(node["airflow"]["queues"]) * (MAIN_PROCESS_MB + POOL_PROCESS_MB + TASK_MB)
    return {"system": MEMORY_MB["system"], **need}


def _members(store: str, cluster: Mapping[str, Any]) -> list[str]:
    """Hosts of a store, none when it has one member only."""
    names = [name for name, node in cluster["nodes"].items() if store in node]
    return names if len(names) > 1 else []


def _has_data(store: str, facts: Mapping[str, Any]) -> bool:
    return bool(facts["flightdeck_postgresql_data"] if store == "metastore" else facts["preflight"]["stores"][store]["data"])


def survey(hosts: Mapping[str, Mapping[str, Any]], cluster: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What is known of each store by those of its ``hosts`` that were looked at.

    ``new`` is true when none has data. ``origins`` have data; ``empty`` have none where others have; ``lost`` says as what the others still
    count some of these; of ``unknown`` ones the others that answer are too few to say; ``joining`` are those of which a running etcd has to
    be told before they start; ``source`` is a host to ask.
    """
    found = {}
    for store in MEMBER_TIERS:
        members = _members(store, cluster)
        seen = [name for name in members if name in hosts and "error" not in hosts[name]["preflight"]]
        origins = [name for name in seen if _has_data(store, hosts[name])]
        empty = [name for name in seen if name not in origins] if origins else []
        lost: dict[str, str] = {}
        found[store] = {"new": bool(members) and not origins, "origins": origins, "empty": empty, "joining": [], "unknown": []}
        # Whether a metastore's host has data says all: Patroni makes a follower of one without.
        asked = origins if store != "metastore" else []
        said = {name: hosts[name]["preflight"]["stores"][store]["members"] for name in asked}
        answers = {name: listed for name, listed in said.items() if listed is not None}
        found[store]["source"] = next(iter(answers), origins[0] if origins else "")
        if store == "rabbitmq":
            nodes = {name: str(cluster["nodes"][name]["rabbitmq"]["nodename"]) for name in empty}
            known = {node for listed in answers.values() for node in listed}
            lost = {name: node for name, node in nodes.items() if node in known}
        elif answers:
            urls = {name: str(cluster["nodes"][name]["etcd"]["peer_url"]) for name in empty}
            counted = {name: [_etcd.find(listed, name, url) for listed in answers.values()] for name, url in urls.items()}
            # Of the members that a cluster began with, one that has never started may still do so: an interrupted first deployment.
            lost = {name: member["name"] for name, own in counted.items() for member in own if member and member["started"]}
            # The first answer is that of the source.
            found[store]["joining"] = [name for name, own in counted.items() if name not in lost and not (own[0] and own[0]["name"])]
        found[store]["lost"] = lost
        # Most members, or all that have data: fewer may not know yet that a host was a member.
        if asked and not (len(answers) == len(asked) or 2 * len(answers) > len(members)):
            found[store]["unknown"] = [name for name in empty if name not in lost]
    return found


def members_unseen(
    store: str, name: str, known: Mapping[str, Mapping[str, Any]], hosts: Mapping[str, Mapping[str, Any]], cluster: Mapping[str, Any]
) -> bool:
    """Whether ``name`` has no data and most members of its store, which may be a cluster, were not looked at."""
    members = _members(store, cluster)
    return name in members and not known[store]["origins"] and 2 * len([each for each in members if each not in hosts]) > len(members)
