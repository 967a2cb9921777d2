"""Defaults of the cluster's variables are templates that can fail, too."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.flightdeck.airflow.plugins.action.cluster_model import ActionModule, _Given
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import on_hosts

OPTIONS = {"airflow_ca_file": {"type": "path"}, "airflow_admin_password": {"type": "str", "no_log": True}}


def settings(default, *hosts, name="airflow_ca_file"):
    """Settings of a cluster whose variable ``name`` has a default, and the problems with it."""
    given = _Given(values={host: {} for host in hosts})
    action = ActionModule.__new__(ActionModule)
    action._templar = Templar(loader=DataLoader(), variables={"directory": "/inventory"})
    found = action._cluster_values(given, {name: trust_as_template(default)}, OPTIONS)
    return found, on_hosts(given.problems, everybody=len(hosts))


def test_a_default_that_works_is_the_setting():
    assert settings("{{ directory }}/ca.crt", "h1") == ({"airflow_ca_file": "/inventory/ca.crt"}, [])


@pytest.mark.parametrize(("hosts", "count"), [((), 0), (("h1",), 1), (("h1", "h2"), 1)])
def test_a_default_that_fails_is_one_problem_where_there_are_hosts(hosts, count):
    _found, problems = settings("{{ nowhere }}/ca.crt", *hosts)
    assert [(problem.code, problem.where.split(" of ")[0]) for problem in problems] == [
        ("FD125", "variable airflow_ca_file")
    ] * count
    assert all("nowhere" in problem.found and "Set airflow_ca_file" in problem.remedy for problem in problems)


def test_what_a_secret_is_made_of_is_not_shown():
    _found, (problem,) = settings("{{ hunter2 }}", "h1", name="airflow_admin_password")
    assert "hunter2" not in str(problem)
