"""The proxy of tasks and Airflow's processes, and that the cluster's own requests do not go through it."""

from __future__ import annotations

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import proxies
from test_cluster import defaults, moved, plain, reference

PROXY = {"airflow_http_proxy": "http://proxy.example.org:3128"}
ADDRESSES = ["192.0.2.10", "2001:db8::21", "lb1.example.org"]


def environment(hosts, **changes):
    return plain(hosts, defaults(**changes))["nodes"]["worker1"]["airflow"]["proxy_environment"]


def test_without_a_proxy_there_is_no_variable():
    assert environment(reference()) == {}


def test_a_proxy_has_every_name_and_address_of_the_cluster_as_an_exception():
    found = environment(
        reference(),
        airflow_url="https://Airflow.example.org/x",
        airflow_no_proxy=["a.example.org", ".example.net"],
        **PROXY,
    )
    assert {found[name] for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")} == set(PROXY.values())
    assert found["NO_PROXY"] == found["no_proxy"]
    names = {"lb1", "master1", "master2", "worker1", "worker2", "db1", "mq1", "mq2", "mq3"}
    addresses = {f"192.0.2.{number}" for number in (10, 11, 12, 21, 22, 131, 141, 142, 143)}
    others = {"localhost", "127.0.0.1", "::1", "airflow.example.org", "a.example.org", ".example.net"}
    assert set(found["NO_PROXY"].split(",")) == names | addresses | others


def test_addresses_are_without_brackets_and_the_virtual_ip_is_among_them():
    found = environment(moved(reference()), airflow_vip="2001:db8::100/64", **PROXY)["no_proxy"].split(",")
    assert {"2001:db8::10", "2001:db8::100", "::1"} <= set(found)
    assert not [entry for entry in found if "[" in entry or "/" in entry]


@pytest.mark.parametrize(
    ("variables", "missing"),
    [
        ({}, None),
        ({"NO_PROXY": "localhost"}, None),
        ({"HTTP_PROXY": None, "https_proxy": ""}, None),
        ({"HTTPS_PROXY": "http://p:1"}, "192.0.2.10, 2001:db8::21, lb1.example.org"),
        ({"all_proxy": "http://p:1", "no_proxy": "localhost"}, "192.0.2.10, 2001:db8::21, lb1.example.org"),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "192.0.2.0/24, 2001:db8::21,.Example.org"}, "192.0.2.10"),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "192.0.2.10, 2001:DB8::21 ,example.org"}, None),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "192.0.2.10,[2001:db8::21],example.org"}, "2001:db8::21"),
        # Some clients read the one, some the other.
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "*", "no_proxy": "192.0.2.10,2001:db8::21"}, "lb1.example.org"),
    ],
)
def test_a_proxy_of_the_users_environment_has_the_cluster_as_an_exception(variables, missing):
    problems = proxies.check_environment(variables, ADDRESSES, defaults())
    assert [(problem.code, problem.found) for problem in problems] == (
        [("FD139", f"a proxy, and no exception for {missing}")] if missing else []
    )
    assert all("airflow_http_proxy" in problem.remedy for problem in problems)


def test_a_long_list_of_hosts_is_shortened():
    (problem,) = proxies.check_environment(
        {"HTTP_PROXY": "http://p:1"}, [f"192.0.2.{number}" for number in range(9)], defaults()
    )
    assert problem.found.endswith("192.0.2.2 and 6 more")


def test_one_proxy_is_set_in_one_place():
    problems = proxies.check_environment(
        {"https_proxy": "http://p:1", "NO_PROXY": "*", "TZ": "UTC"}, ADDRESSES, defaults(**PROXY)
    )
    assert [problem.where for problem in problems] == [
        "airflow_environment.https_proxy",
        "airflow_environment.NO_PROXY",
    ]
