"""What a cluster is tuned for."""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import versions
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.airflow_options import reference
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import cluster, tuning
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import airflow_cfg
from test_cluster import defaults, host
from test_cluster import reference as hosts_of_reference

PROFILES = get_args(get_type_hints(Settings)["tuning"])
# A queue with as many slots as many small tasks need.
MANY = [
    host(f"worker{number}", 20 + number, "worker", queues=[{"name": "default", "concurrency": 48}])
    for number in (3, 4, 5)
]
BIG = MANY[0]


def options(hosts, **given):
    """airflow.cfg of a scheduler."""
    return cluster.Model(hosts, defaults(**given)).build().nodes["master1"].airflow.config


@pytest.mark.parametrize("version", versions.TESTED_VERSIONS)
@pytest.mark.parametrize("profile", PROFILES)
def test_airflow_knows_the_options_of_every_profile(profile, version):
    found = tuning.config(defaults(airflow_tuning=profile), [BIG], int(version.partition(".")[0]))
    assert bool(found) == (profile != "default")
    assert all(f"{section}.{option}" in reference(version) for section in found for option in found[section])


@pytest.mark.parametrize(
    ("workers", "parallelism", "pool"),
    [
        # Two workers with 16 slots at most, as they derive them.
        ([], 32, 128),
        ([BIG], 80, 128),
        (MANY, 176, 176),
    ],
)
def test_one_scheduler_can_fill_the_slots_of_all_workers(workers, parallelism, pool):
    found = options([*hosts_of_reference(), *workers], airflow_tuning="throughput")
    assert (found["core"]["parallelism"], found["scheduler"]["max_tis_per_query"]) == (parallelism, 0)
    assert found["core"]["default_pool_task_slot_count"] == pool


@pytest.mark.parametrize(
    ("version", "section", "refresh"),
    [("3.3.2", "dag_processor", "refresh_interval"), ("2.11.2", "scheduler", "dag_dir_list_interval")],
)
def test_a_small_cluster_reads_dag_files_less_often(version, section, refresh):
    found = options(hosts_of_reference(), airflow_version=version, airflow_tuning="small")
    assert found["scheduler"]["scheduler_idle_sleep_time"] == 5
    assert (found[section]["min_file_process_interval"], found[section][refresh]) == (300, 300)


def test_an_option_of_the_user_wins():
    given = {"scheduler": {"scheduler_idle_sleep_time": 0.5}}
    found = options(hosts_of_reference(), airflow_tuning="latency", airflow_config=given)
    assert found["scheduler"]["scheduler_idle_sleep_time"] == 0.5


@pytest.mark.parametrize(
    ("version", "option"),
    [("3.3.2", "dag_processor.parsing_processes"), ("2.11.2", "scheduler.parsing_processes")],
)
def test_dag_files_are_parsed_on_half_of_the_processors(version, option):
    section, name = option.split(".")

    def found(host, **given):
        model = cluster.Model(hosts_of_reference(), defaults(airflow_version=version, **given)).build()
        return model.nodes[host].airflow.processors_option

    assert option in reference(version)
    assert found("master1", airflow_tuning="throughput") == option
    # It parses none, or the user says how many.
    assert found("worker1", airflow_tuning="throughput") == ""
    assert found("master1", airflow_tuning="throughput", airflow_config={section: {name: 3}}) == ""
    assert found("master1") == ""
    sizes = [(1, 4000), (4, 16000), (8, 16000), (32, 8000), (32, 1000)]
    options = [airflow_cfg.with_processors({}, option, *size)[section][name] for size in sizes]
    assert options == [2, 2, 4, 12, 2]
    assert airflow_cfg.with_processors({"core": {"parallelism": 8}}, "", 8, 4000) == {"core": {"parallelism": 8}}
