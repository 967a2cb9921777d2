"""Groups, names and addresses."""

from __future__ import annotations

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import GROUPS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import addresses
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import inventory

KNOWN = [f"airflow_{group}" for group in GROUPS]
OURS = {"all": ["w1", "w2"], "airflow_worker": ["w1"]}


@pytest.mark.parametrize(
    ("group", "hosts", "remedy"),
    [
        ("airflow_wroker", ["w1"], "Did you mean airflow_worker?"),
        ("airflow-worker", ["w1"], "Did you mean airflow_worker?"),
        ("airflow_workers", ["w2"], "Did you mean airflow_worker?"),
        ("airflow_postgres", ["w2"], "Did you mean airflow_metastore?"),
        ("airflow_databases", ["w2"], "Did you mean airflow_metastore?"),
        ("airflow_web", ["w2"], "Did you mean airflow_webserver?"),
        ("airflow_load_balancers", ["w2"], "Did you mean airflow_haproxy?"),
        # Hosts of ours that have variables in common.
        ("airflow_nodes", ["w1"], None),
        ("airflow_production", ["w1"], None),
        ("airflow_wroker", [], None),
        ("web", ["w2"], None),
    ],
)
def test_groups_that_look_like_ours(group, hosts, remedy):
    problems = inventory.check_groups({**OURS, group: hosts}, KNOWN)
    assert [problem.code for problem in problems] == (["FD123"] if remedy else [])
    assert all(remedy in problem.remedy for problem in problems)


@pytest.mark.parametrize("group", ["airflow_grafana", "airflow_offices", "airflow_bastions", "airflow_all"])
def test_a_group_of_other_hosts_is_a_warning(group):
    (problem,) = inventory.check_groups({**OURS, group: ["w1", "prom1"]}, KNOWN)
    assert problem.code == "FD148"
    assert problem.code.is_warning
    assert "prom1" in problem.found
    assert "w1" not in problem.found


@pytest.mark.parametrize(
    "name", ["mq..x", ".mq", "mq.", "x" * 64, f"a.{'x' * 64}", "-a", "a-", "a.-b", ".".join(["x" * 60] * 5)]
)
def test_a_name_is_labels_with_dots_between_them(name):
    assert [problem.code for problem in inventory.check_hosts({"a": "192.0.2.1", name: "192.0.2.2"}, [])] == ["FD118"]


@pytest.mark.parametrize(
    ("hosts", "brokers", "says"),
    [
        ({"a": "192.0.2.1", "b": "b.example.org"}, ["a"], None),
        ({"localhost": "localhost"}, ["localhost"], None),
        ({"192.0.2.1": "192.0.2.1"}, ["192.0.2.1"], None),
        ({"2001:db8::1": "2001:db8::1"}, [], None),
        ({"a b": "192.0.2.1"}, [], "its name"),
        ({"a/b": "192.0.2.1"}, [], "its name"),
        ({"a": "192.0.2.1:22"}, [], "without port and scheme"),
        ({"a": "http://192.0.2.1"}, [], "without port and scheme"),
        ({"a": "192.0.2.256"}, [], "an IP address or a host name"),
        ({"a": "127.0.0.1", "b": "192.0.2.1"}, [], "the other hosts reach"),
        ({"a": "Localhost", "b": "192.0.2.1"}, [], "the other hosts reach"),
        ({"a": "0.0.0.0"}, [], "the address of no host"),
        ({"a": "::"}, [], "the address of no host"),
        ({"a": "224.0.0.1"}, [], "a multicast address"),
        ({"a": "ff02::1"}, [], "a multicast address"),
        ({"a": "255.255.255.255"}, [], "a broadcast address"),
        ({"a": "fe80::1"}, [], "a link-local address"),
        ({"a": "fe80::1%eth0"}, [], "an IP address or a host name"),
        ({"a": "::ffff:192.0.2.1"}, [], "write 192.0.2.1"),
        ({"a": "::1", "b": "2001:db8::1"}, [], "the other hosts reach"),
        ({"mq_1": "192.0.2.1"}, ["mq_1"], "DNS"),
        ({"mq1": "192.0.2.1", "mq2.x": "192.0.2.2"}, ["mq1", "mq2.x"], "names of one kind"),
        ({"localhost": "192.0.2.1", "b": "192.0.2.2"}, ["localhost", "b"], "another host on each"),
        ({"Worker1": "192.0.2.1", "b": "192.0.2.2", "worker1": "192.0.2.3"}, [], "like that of host Worker1"),
        ({"Worker1": "192.0.2.1", "WORKER2": "192.0.2.2"}, ["WORKER2"], None),
    ],
)
def test_names_and_addresses(hosts, brokers, says):
    problems = inventory.check_hosts(hosts, brokers)
    assert [problem.code for problem in problems] == (["FD118"] if says else [])
    assert all(says in str(problem) for problem in problems)


def test_equal_addresses_have_one_form():
    assert addresses.normal_address("2001:DB8:0::1") == addresses.normal_address("2001:db8::1")
    assert addresses.normal_address("DB1.example.org.") == "db1.example.org"


def test_one_run_is_one_cluster():
    assert inventory.check_sources({}) == inventory.check_sources({"a": "prod", "b": "prod"}) == []
    (problem,) = inventory.check_sources({"a": "prod", "b": "staging"})
    assert (problem.code, "prod in a, staging in b" in problem.found) == ("FD128", True)
