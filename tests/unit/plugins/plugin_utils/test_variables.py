"""Effective values of variables of the cluster's hosts, when the task runs on another host."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from ansible.template import trust_as_template


def test_the_clusters_hosts_count_and_not_the_host_of_the_task(known):
    found = known({"airflow_version": "2.11.2"})
    assert found.hosts == ["w1", "w2"]
    assert found.names("w1") == ["airflow_version"]
    assert found.common("airflow_version") == "2.11.2"
    assert found.of_play == {}
    assert dict(found.given(["airflow_version", "airflow_fernet_key"])) == {"airflow_version": "2.11.2"}


def test_a_default_is_computed_on_the_host_of_the_cluster(known, tmp_path):
    assert known().common("airflow_secrets_file") == f"{tmp_path}/.airflow_secrets.yml"


def test_variables_of_the_play_are_above_the_inventory_and_those_of_the_task_above_both(known):
    play = {"airflow_version": "3.3.2", "airflow_tls": "no", "airflow_worker_queus": ["x"]}
    found = known({"airflow_version": "2.11.2", "airflow_user": "site"}, play, {"airflow_user": "task"})
    assert found.names("w2") == ["airflow_tls", "airflow_user", "airflow_version", "airflow_worker_queus"]
    assert [found.common(name) for name in ("airflow_version", "airflow_tls", "airflow_user")] == [
        "3.3.2",
        "no",
        "task",
    ]


def test_a_value_of_the_play_counts_when_it_is_the_default(known):
    assert known({"airflow_tls": False}, {"airflow_tls": True}).common("airflow_tls") is True


def test_templates_are_computed_with_what_the_host_and_the_play_have(known):
    found = known(
        {"airflow_url": "https://{{ domain }}/"},
        {"domain": "example.org", "airflow_worker_concurrency": trust_as_template("{{ number }}")},
    )
    assert found.common("airflow_url") == "https://example.org/"
    assert [found.value(host, "airflow_worker_concurrency") for host in found.hosts] == [1, 2]


def test_a_template_that_fails_is_an_error(known):
    found = known({"airflow_url": "{{ nowhere }}"})
    with pytest.raises(AnsibleError, match="nowhere"):
        found.common("airflow_url")
    with pytest.raises(KeyError):
        found.common("airflow_fernet_key")
