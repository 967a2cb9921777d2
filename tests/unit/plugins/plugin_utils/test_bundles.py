"""DAG bundles that Airflow starts with, that verify.yml can use, and whose programs are on the hosts."""

from __future__ import annotations

import json

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.options import given_options
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import bundles

FOLDER = "/var/lib/airflow/dags/current"
OWN = {"name": "dags-folder", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {}}
GIT = {
    "name": "team",
    "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
    "kwargs": {"repo_url": "https://git.example.org/dags.git", "tracking_ref": "main"},
}


def check(value, *packages, parses_dags=True, environment=None):
    config = {"dag_processor": {"dag_bundle_config_list": value}} if value is not None else {}
    options = given_options(config, environment or {}, "3.3.2")
    return bundles.check(options, FOLDER, packages, parses_dags=parses_dags)


@pytest.mark.parametrize(
    ("value", "packages", "codes"),
    [
        (None, [], []),
        ([OWN], [], []),
        ([{**OWN, "kwargs": {"path": None}}], [], []),
        ([{**OWN, "name": "a", "kwargs": {"path": f"{FOLDER}/"}}], [], []),
        (json.dumps([OWN]), [], []),
        ([{**OWN, "kwargs": {"path": "/srv/dags"}}], [], ["FD147"]),
        ([{**OWN, "classpath": "mine.Bundle"}], [], ["FD147"]),
        ([], [], ["FD147"]),
        ([GIT], ["git"], ["FD147"]),
        ([OWN, GIT], ["git"], []),
        ([OWN, GIT], ["libpq5", "git=1:2.39.5-0+deb12u2"], []),
        ([OWN, GIT], ["git-lfs"], ["FD173"]),
        ([GIT], [], ["FD147", "FD173"]),
        # Airflow would not start.
        (["dags-folder"], [], ["FD135"]),
        ([{"name": "a", "classpath": "b"}], [], ["FD135"]),
        ([{**OWN, "kwargs": None}], [], ["FD135"]),
        ([{**OWN, "name": 7}], [], ["FD135"]),
        ([{**OWN, "name": "example_dags"}], [], ["FD135"]),
        ([OWN, OWN], [], ["FD135"]),
        # No list at all is said with the types.
        ("many", [], []),
        ({"name": "a"}, [], []),
    ],
)
def test_bundles(value, packages, codes):
    assert [problem.code for problem in check(value, *packages)] == codes


def test_only_what_parses_dags_needs_git():
    assert check([OWN, GIT], parses_dags=False) == []


def test_the_list_in_the_environment_counts():
    name = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"
    (problem,) = check([OWN], environment={name: "[]"})
    assert (problem.code, problem.where) == ("FD147", f"airflow_environment.{name}")
