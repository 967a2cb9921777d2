# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""How to ask an etcd member, and what it says about the others: without Ansible, standard library only."""

from __future__ import annotations

import json
import ssl
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

_TLS = "/etc/etcd/airflow-tls"


class Member(TypedDict):
    """A member as etcd lists it. One that was added and has not started yet has no name."""

    id: str
    name: str
    peer_urls: list[str]
    started: bool


def command(url: str, *arguments: str) -> list[str]:
    """``etcdctl`` for the member at ``url``, on its own host: the member's certificate is that of its client, too."""
    tls = (
        [f"--cacert={_TLS}/ca.crt", f"--cert={_TLS}/server.crt", f"--key={_TLS}/server.key"]
        if url.startswith("https:")
        else []
    )
    return ["etcdctl", f"--endpoints={url}", *tls, *arguments]


def members(text: str) -> list[Member]:
    """The members in an answer of ``etcdctl member list --write-out=json``. Raises ValueError when it is no answer.

    One that was added and has not started yet has no name; no one that has not started has URLs for clients.
    """
    try:
        return [_member(member["ID"], member) for member in json.loads(text)["members"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"no list of members: {text[:100]!r}") from error


def seen_by_peer(peer_url: str, timeout: float = 5.0) -> list[Member] | None:
    """The members as the one at ``peer_url`` tells its peers, on its own host; None when it does not answer within
    ``timeout`` seconds.

    It answers them before it has reached the others, when it has no answer for clients yet.
    """
    context = None
    if peer_url.startswith("https:"):
        try:
            context = ssl.create_default_context(cafile=f"{_TLS}/ca.crt")
            context.load_cert_chain(f"{_TLS}/server.crt", f"{_TLS}/server.key")
        except OSError:
            return None
    try:
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(f"{peer_url}/members", timeout=timeout) as answer:
            # A member knows itself at least.
            return [_member(member["id"], member) for member in json.load(answer)] or None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _member(number: int, said: Mapping[str, Any]) -> Member:
    return {
        "id": f"{number:x}",
        "name": said.get("name", ""),
        "peer_urls": said.get("peerURLs", []),
        "started": bool(said.get("clientURLs")),
    }


def find(listed: Iterable[Member], name: str, peer_url: str) -> Member | None:
    """The member of a host, by its name or, as long as it has none, by its address."""
    return next((member for member in listed if name == member["name"] or peer_url in member["peer_urls"]), None)


def initial_cluster(listed: Iterable[Member], name: str) -> str:
    """The initial cluster of a member that joins: all that are listed, itself by its future ``name``."""
    return ",".join(f"{member['name'] or name}={url}" for member in listed for url in member["peer_urls"])
