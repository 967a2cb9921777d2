"""Parts that survive the loss of a host: etcd and Patroni for the metastore, a virtual IP for the load balancers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import ETCD_CLIENT_PORT, ETCD_PEER_PORT, PATRONI_PORT
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.urls import bracket

# Seconds. A leader that is lost is replaced within ttl, the race for its place and the load balancer's next check: 17 to 26 s, less than
# the shortest time for which a task's call is repeated (see _timing). loop_wait + 2 * retry_timeout must not exceed ttl, and Patroni
# takes no ttl below 20.
TTL, LOOP_WAIT, RETRY_TIMEOUT = 20, 5, 5
# A crashed PostgreSQL has this long to start again before another takes its place.
PRIMARY_START_TIMEOUT = 60
# Seconds between adverts: three are missed, and a fraction more, before the next load balancer takes the virtual IP.
ADVERT_SECONDS = 1


def _scheme(tls: bool) -> str:
    return "https" if tls else "http"


def etcd(host: Host, members: Iterable[Host], settings: Mapping[str, Any], *, tls: bool) -> dict[str, Any]:
    """The share of one etcd member."""
    scheme = _scheme(tls)
    return {
        "name": host.name,
        # Hosts of another cluster are refused by it, even when an address is wrong.
        "token": str(settings["airflow_cluster_name"]),
        "peer_url": f"{scheme}://{bracket(host.address)}:{ETCD_PEER_PORT}",
        "client_url": f"{scheme}://{bracket(host.address)}:{ETCD_CLIENT_PORT}",
        "members": {member.name: f"{scheme}://{bracket(member.address)}:{ETCD_PEER_PORT}" for member in members},
    }


def patroni(host: Host, members: Sequence[Host], stores: Iterable[Host], settings: Mapping[str, Any], *, tls: bool) -> dict[str, Any]:
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


def keepalived(host: Host, members: Sequence[Host], settings: Mapping[str, Any]) -> dict[str, Any]:
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
