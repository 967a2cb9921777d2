# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker services of a host: one per queue, with as many task slots as the host can bear."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import (
    MAIN_PROCESS_MB,
    POOL_PROCESS_MB,
    RESERVED_MB,
    TASK_MB,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.airflow import unit_of
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Queue
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import MOST_DERIVED_SLOTS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render.sizes import round_down


def worker_concurrency(vcpus: int, memory_mb: int, workers: int) -> int:
    """Task slots of each of ``workers`` worker services on a host of ``memory_mb`` MiB: at most MOST_DERIVED_SLOTS and
    at least 1.

    Four slots per processor, as tasks mostly wait, but no more than fit into the memory.
    """
    by_cpu = 4 * vcpus
    # Rounded, so that a few MiB less after a kernel update do not restart the workers.
    by_memory = (round_down(memory_mb) - RESERVED_MB - workers * MAIN_PROCESS_MB) // (POOL_PROCESS_MB + TASK_MB)
    return max(1, min(MOST_DERIVED_SLOTS, min(by_cpu, by_memory) // max(1, workers)))


def worker_instances(
    queues: Iterable[Queue], major: int, address: str, derived: int, remote_control: bool
) -> list[dict[str, str]]:
    """Unit name and command of the worker service of each queue in Airflow ``major``.

    ``queues`` are those of the host's node; a concurrency of 0 stands for the ``derived`` one. Without
    ``remote_control`` a worker has no name: before it took one, it would ask the others for theirs.
    """
    instances = []
    for position, queue in enumerate(queues):
        named = f" --celery-hostname {queue.name}@{address}" if remote_control else ""
        command = f"celery worker --queues {queue.name}{named} --concurrency {queue.concurrency or derived}"
        command += " --without-gossip --without-mingle" + (" --skip-serve-logs" if position else "")
        instances.append({"name": unit_of("worker", major, queue.name), "queue": queue.name, "command": command})
    return instances
