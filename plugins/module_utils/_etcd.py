"""How to ask an etcd member, and what it says about the others: without Ansible, standard library only."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TypedDict

_TLS = "/etc/etcd/airflow-tls"


class Member(TypedDict):
    """A member as etcd lists it. One that was added and has not started yet has no name."""

    id: str
    name: str
    peer_urls: list[str]
    started: bool


def command(url: str, *arguments: str) -> list[str]:
    """``etcdctl`` for the member at ``url``, on its own host: the member's certificate is that of its client, too."""
    tls = [f"--cacert={_TLS}/ca.crt", f"--cert={_TLS}/server.crt", f"--key={_TLS}/server.key"] if url.startswith("https:") else []
    return ["etcdctl", f"--endpoints={url}", *tls, *arguments]


def members(text: str) -> list[Member]:
    """The members in an answer of ``etcdctl member list --write-out=json``; none when it is no answer.

    One that was added and has not started yet has no name; no one that has not started has URLs for clients.
    """
    try:
        listed = json.loads(text)["members"]
    except (ValueError, KeyError):
        return []
    return [
        {
            "id": f"{member['ID']:x}",
            "name": member.get("name", ""),
            "peer_urls": member.get("peerURLs", []),
            "started": bool(member.get("clientURLs")),
        }
        for member in listed
    ]


def find(listed: Iterable[Member], name: str, peer_url: str) -> Member | None:
    """The member of a host, by its name or, as long as it has none, by its address."""
    return next((member for member in listed if name == member["name"] or peer_url in member["peer_urls"]), None)


def initial_cluster(listed: Iterable[Member], name: str) -> str:
    """What a member that joins must be told: all that are listed, itself by the ``name`` that it is going to have."""
    return ",".join(f"{member['name'] or name}={url}" for member in listed for url in member["peer_urls"])
