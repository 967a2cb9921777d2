"""The hosts of a cluster as the inventory describes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import COMPONENTS


@dataclass(frozen=True)
class Host:
    """One machine of the cluster: what the inventory says about it."""

    name: str
    groups: frozenset[str]
    address: str
    queues: tuple[dict[str, Any], ...] = ()
    webserver_port: int = 8081
    log_port: int = 8793
    drain_timeout_seconds: int = 600
    ssh_port: int = 22
    firewall_extra_rules: tuple[str, ...] = ()
    vip_interface: str = ""

    @property
    def components(self) -> list[str]:
        """The Airflow components of this host, in start order."""
        return [component for component in COMPONENTS if component in self.groups]


def normalise_queues(value: Any) -> list[dict[str, Any]]:
    """``[default, {name: gpu, concurrency: 2}]`` as a list of dictionaries with both keys; concurrency 0 means derived.

    A concurrency that is no number stays as it is, for ``check`` to name it.
    """
    entries = value if isinstance(value, list) else [value]
    queues = []
    for entry in entries:
        if isinstance(entry, Mapping):
            concurrency = entry.get("concurrency", 0) or 0
            if str(concurrency).isdecimal():
                concurrency = int(concurrency)
            queues.append({"name": str(entry.get("name", "")), "concurrency": concurrency})
        else:
            queues.append({"name": str(entry), "concurrency": 0})
    return queues


def served_queues(hosts: Iterable[Host]) -> dict[str, list[str]]:
    """The queues of the workers, with the hosts that serve each."""
    served: dict[str, list[str]] = {}
    for host in hosts:
        for queue in host.queues if "worker" in host.groups else ():
            served.setdefault(queue["name"], []).append(host.name)
    return served


def longest_drain_seconds(hosts: Iterable[Host]) -> int:
    """The longest time that a stopped worker waits for its tasks."""
    return max((host.drain_timeout_seconds for host in hosts if "worker" in host.groups), default=0)
