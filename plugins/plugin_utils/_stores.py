"""The stores with several members: who has data, and on whom the others still count although the data are gone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.module_utils import _etcd
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._problem import Problem

TITLES = {"etcd": "etcd", "rabbitmq": "RabbitMQ", "metastore": "PostgreSQL"}


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
    for store in TITLES:
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


def check(
    known: Mapping[str, Mapping[str, Any]], hosts: Mapping[str, Mapping[str, Any]], cluster: Mapping[str, Any]
) -> list[tuple[str, Problem]]:
    """Hosts that cannot just be deployed, because others have, or may have, what they lost."""
    problems = []
    for name in hosts:
        lost = [title for store, title in TITLES.items() if name in known[store]["lost"]]
        if lost:
            problems.append(
                (
                    name,
                    Problem(
                        "FD221",
                        "data",
                        f"none of {' and '.join(lost)}, whose other members still count on it",
                        "the data of a member",
                        "Mount them where they are missing. When they are lost for good, the empty host takes their place by "
                        f"playbooks/replace_host.yml -e airflow_replaced_host={name}",
                    ),
                )
            )
        unseen = [title for store, title in TITLES.items() if store != "metastore" and _unseen(store, name, known, hosts, cluster)]
        if unseen:
            remedy = "Run without --limit: whether the others count on the host can be seen on their hosts only."
            found = f"none of {' and '.join(unseen)}, and most other members are not part of this run"
            problems.append((name, Problem("FD222", "data", found, "data, or a run with the other members", remedy)))
    return problems


def _unseen(
    store: str, name: str, known: Mapping[str, Mapping[str, Any]], hosts: Mapping[str, Mapping[str, Any]], cluster: Mapping[str, Any]
) -> bool:
    """Whether ``name`` has no data and most members of its store, which may be a cluster, were not looked at."""
    members = _members(store, cluster)
    return name in members and not known[store]["origins"] and 2 * len([each for each in members if each not in hosts]) > len(members)
