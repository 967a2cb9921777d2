"""Defaults of the cluster's variables are templates that can fail, too."""

from __future__ import annotations

import pytest
from ansible.template import trust_as_template
from ansible_collections.flightdeck.airflow.plugins.action.cluster_model import ActionModule, _Given
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import on_hosts


def settings(known, default, *hosts, name="airflow_ca_file", **option):
    """Settings of a cluster whose variable ``name`` has a default, and the problems with it."""
    found = known({"directory": "/inventory"})
    found.hosts = list(hosts)
    found._defaults[name] = trust_as_template(default)
    given = _Given(values={host: {} for host in hosts})
    values = ActionModule._cluster_values(given, found, {name: {"default": default, **option}})
    return values, on_hosts(given.problems, everybody=len(hosts))


def test_a_default_that_works_is_the_setting(known):
    assert settings(known, "{{ directory }}/ca.crt", "w1") == ({"airflow_ca_file": "/inventory/ca.crt"}, [])


@pytest.mark.parametrize(("hosts", "count"), [((), 0), (("w1",), 1), (("w1", "w2"), 1)])
def test_a_default_that_fails_is_one_problem_where_there_are_hosts(known, hosts, count):
    _found, problems = settings(known, "{{ nowhere }}/ca.crt", *hosts)
    assert [(problem.code, problem.where.split(" of ")[0]) for problem in problems] == [
        ("FD125", "variable airflow_ca_file")
    ] * count
    assert all("nowhere" in problem.found and "Set airflow_ca_file" in problem.remedy for problem in problems)


def test_what_a_secret_is_made_of_is_not_shown(known):
    _found, (problem,) = settings(known, "{{ hunter2 }}", "w1", name="airflow_admin_password", no_log=True)
    assert "hunter2" not in str(problem)
