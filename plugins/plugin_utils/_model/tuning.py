# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster is tuned for: options of airflow.cfg that go together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import Config
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings

# Airflow's own: running tasks for each scheduler.
PARALLELISM = 32
# Airflow's own: slots of default_pool when a cluster begins.
POOL = 128
# Seconds. docs/tuning.md has what they cost, measured.
_IDLE_SLEEP: Mapping[str, float] = {"latency": 0.1, "small": 5}
_SMALL_PARSING = 300


def config(settings: Settings, workers: Sequence[Host], major: int) -> Config:
    """The options of Airflow ``major`` for ``airflow_tuning``, with all ``workers`` of the cluster.

    ``throughput``: any scheduler alone can fill the slots of all workers, one loop queues as many tasks as fit, and the
    pool of a new cluster has room for them.
    Slots are counted as for connections, 16 at least for each queue of a worker.
    ``processors_option`` comes on top of it.
    ``latency``: a scheduler that found nothing to do is back after a tenth of a second.
    ``small``: schedulers and DAG processors do their regular work less often.
    """
    if settings.tuning == "throughput":
        slots = sum(host.most_slots for host in workers)
        # 0: as many as core.parallelism.
        return {
            "core": {"parallelism": max(PARALLELISM, slots), "default_pool_task_slot_count": max(POOL, slots)},
            "scheduler": {"max_tis_per_query": 0},
        }
    found: Config = {}
    if settings.tuning in _IDLE_SLEEP:
        found["scheduler"] = {"scheduler_idle_sleep_time": _IDLE_SLEEP[settings.tuning]}
    if settings.tuning == "small":
        section, refresh = (
            ("dag_processor", "refresh_interval") if major >= 3 else ("scheduler", "dag_dir_list_interval")
        )
        found.setdefault(section, {}).update({"min_file_process_interval": _SMALL_PARSING, refresh: _SMALL_PARSING})
    return found


def processors_option(settings: Settings, host: Host, major: int) -> str:
    """The option of Airflow ``major`` that follows from the processors of ``host``; empty for none.

    ``throughput``: how many DAG files are parsed at once, unless the user says it.
    """
    section, option = "dag_processor" if major >= 3 else "scheduler", "parsing_processes"
    given = option in settings.options.get(section, {})
    tuned = settings.tuning == "throughput" and "dag_processor" in host.components
    return f"{section}.{option}" if tuned and not given else ""
