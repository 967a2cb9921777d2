# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a cluster as the inventory describes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import COMPONENT, COMPONENTS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import OwnFile, Queue, Wheel

# Task slots that a queue has at most when they are derived (Airflow's default). Sizes count at least as many for every
# queue, so that neither another concurrency below nor a new worker restarts a small cluster's metastore.
MOST_DERIVED_SLOTS = 16


@dataclass(frozen=True)
class Host:
    """One machine of the cluster: what the inventory says about it."""

    name: str
    groups: frozenset[str]
    address: str
    queues: tuple[Queue, ...] = ()
    # Task slots of each queue that has no number of its own; 0 derives them from processors and memory.
    worker_concurrency: int = 0
    webserver_port: int = 8081
    log_port: int = 8793
    drain_timeout_seconds: int = 600
    ssh_port: int = 22
    firewall_extra_rules: tuple[str, ...] = ()
    vip_interface: str = ""
    system_packages: tuple[str, ...] = ()
    build_packages: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    wheels: tuple[Wheel, ...] = ()
    extra_groups: tuple[str, ...] = ()
    restart_timeout_seconds: int = 600
    kerberos_principal: str = ""
    # Variables of Airflow's processes.
    environment: Mapping[str, object] = field(default_factory=dict)
    # The same by component, over the common ones.
    component_environment: Mapping[str, object] = field(default_factory=dict)
    # Directives of the units by component.
    unit_options: Mapping[str, object] = field(default_factory=dict)
    worker_tmp_dir: str = ""
    # What the user adds for components.
    files: tuple[OwnFile, ...] = ()

    @property
    def components(self) -> list[str]:
        """The Airflow components of this host, in start order."""
        return [component for component in COMPONENTS if component in self.groups]

    def parses_dags(self, major: int) -> bool:
        """Whether a component of this host reads the files of DAGs on Airflow ``major``."""
        return any(major in COMPONENT[component].parses_dags for component in self.components)

    @property
    def effective_queues(self) -> tuple[Queue, ...]:
        """The queues with the numbers that are configured for them; 0 is left where the host derives one."""
        return tuple(
            Queue(name=queue.name, concurrency=queue.concurrency or self.worker_concurrency) for queue in self.queues
        )

    @property
    def most_slots(self) -> int:
        """Task slots for which sizes have to suffice: those of all queues of this host, 16 at least for each."""
        return sum(max(queue.concurrency, MOST_DERIVED_SLOTS) for queue in self.effective_queues)


def queues_of(value: object) -> tuple[Queue, ...]:
    """The queues that ``value`` of ``airflow_worker_queues`` names, such as ``[default, {name: gpu, concurrency: 2}]``.

    A concurrency that is no whole number counts as 0: ``check_queue_entries`` reports it.
    """
    entries = value if isinstance(value, list) else [value]
    given = (entry if isinstance(entry, Mapping) else {"name": entry} for entry in entries)
    return tuple(
        Queue(name=str(entry.get("name", "")), concurrency=slots(entry.get("concurrency")) or 0) for entry in given
    )


def slots(value: object) -> int | None:
    """``value``, a queue's concurrency, as a number; 0 for nothing, None for what is no whole number."""
    text = str(value or 0)
    return int(text) if re.fullmatch(r"0|[1-9][0-9]*", text) else None


def served_queues(hosts: Iterable[Host]) -> dict[str, list[str]]:
    """The queues of the workers among ``hosts``, with the names of those that serve each."""
    served: dict[str, list[str]] = {}
    for host in hosts:
        for queue in host.queues if "worker" in host.groups else ():
            served.setdefault(queue.name, []).append(host.name)
    return served


def longest_drain_seconds(hosts: Iterable[Host]) -> int:
    """The longest time that a stopped worker of ``hosts`` waits for its tasks."""
    return max((host.drain_timeout_seconds for host in hosts if "worker" in host.groups), default=0)
