"""Which updates of packages are refused, in which order hosts get them, and what is said before."""

from __future__ import annotations

from itertools import pairwise

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.platforms import PLATFORMS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import BY_NAME
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.upgrade_paths import UPGRADES
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import cluster as cluster_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import updates
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.updates import HostUpdates
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import updates as checks
from test_cluster import available, defaults, single

CLUSTER = cluster_model.build(available(), defaults())


def found(name="", before="", after="", **more):
    """What one host has to install: one package, or nothing."""
    packages = {"upgrades": [{"name": name, "before": before, "after": after}]} if name else {}
    return HostUpdates.from_vars({"installed": {}, "outdated": {}, **packages, **more})


@pytest.mark.parametrize(
    ("package", "before", "after"),
    [
        # Another revision of Debian, and another patch release.
        ("rabbitmq-server", "3.10.8-1.1+deb12u1", "3.10.8-1.1+deb12u2"),
        ("rabbitmq-server", "4.0.5-1", "4.0.9-1"),
        ("rabbitmq-server", "3.13.7-1", "4.0.5-6"),
        ("rabbitmq-server", "3.13.7-1", "4.2.1-1"),
        ("rabbitmq-server", "3.11.18-1", "3.12.14-1"),
        ("etcd-server", "3.4.23-4+b4", "3.4.30-1"),
        ("etcd-server", "3.4.23-4+b4", "3.5.16-4"),
        ("etcd-server", "3.5.32-1", "3.6.0-1"),
        # What has no table has no bad path.
        ("haproxy", "2.6.12-1", "3.0.11-1"),
    ],
)
def test_paths_that_upstream_supports(package, before, after):
    assert checks.check_paths({"db1": found(package, before, after)}) == []


@pytest.mark.parametrize(
    ("package", "before", "after", "says"),
    [
        ("rabbitmq-server", "3.10.8-1.1", "4.0.5-6", "by way of 3.11"),
        ("rabbitmq-server", "3.10.8-1.1", "3.12.14-1", "by way of 3.11"),
        ("rabbitmq-server", "3.11.17-1", "3.12.14-1", "3.11.18 first"),
        ("rabbitmq-server", "3.12.14-1", "4.0.5-6", "by way of 3.13"),
        ("rabbitmq-server", "4.0.5-6", "3.13.7-1", "no way back"),
        ("rabbitmq-server", "4.2.1-1", "4.3.0-1", "not in the table"),
        ("rabbitmq-server", "4.0.5-6", "4.0.4-1", "no way back"),
        ("etcd-server", "3.4.23-4+b4", "3.6.0-1", "by way of 3.5"),
        ("etcd-server", "3.5.16-4", "3.6.0-1", "3.5.32 first"),
        ("etcd-server", "3.6.0-1", "3.5.16-4", "no way back"),
    ],
)
def test_paths_that_upstream_does_not_support(package, before, after, says):
    (problem,) = checks.check_paths({"db1": found(package, before, after)})
    assert problem.code == "FD365"
    assert f"{before} to {after}" in problem.found
    assert "host db1" in problem.where
    assert says in problem.remedy


def test_members_are_at_most_one_step_apart_while_one_after_the_other_is_updated():
    """The mirror of one host is ahead: db1's old version would meet db3's new one."""
    found_on = {
        "db1": found("rabbitmq-server", "3.11.18-1", "3.12.14-1"),
        "db2": found("rabbitmq-server", "3.12.14-1", "3.13.7-1"),
    }
    problems = checks.check_paths(found_on)
    assert [problem.where for problem in problems] == ["host db1 with db2, RabbitMQ"]
    assert problems[0].found == "3.11.18-1 beside 3.13.7-1"


def test_a_host_that_gets_nothing_counts_with_what_it_has():
    behind = found(installed={"etcd-server": "3.4.23-4"})
    (problem,) = checks.check_paths({"db1": behind, "db2": found("etcd-server", "3.5.32-1", "3.6.0-1")})
    assert (problem.code, problem.found) == ("FD365", "3.4.23-4 beside 3.6.0-1")


def test_the_table_has_a_way_from_each_release_of_debian():
    for service, column in (("etcd", "etcd"), ("rabbitmq", "rabbitmq")):
        series = [path.series for path in UPGRADES[service].paths]
        assert {getattr(platform, column) for platform in PLATFORMS.values()} <= {
            *series,
            *(target for path in UPGRADES[service].paths for target in path.targets),
        }


def test_the_tables_are_sorted_and_only_go_forward():
    def numbers(series):
        return tuple(int(part) for part in series.split("."))

    for service, upgrades in UPGRADES.items():
        assert upgrades.package in BY_NAME[service].packages
        assert all(numbers(first.series) < numbers(second.series) for first, second in pairwise(upgrades.paths))
        for path in upgrades.paths:
            assert all(numbers(target) > numbers(path.series) for target in path.targets)
            assert not path.least or path.least.startswith(f"{path.series}.")


def test_an_update_that_removes_a_package_is_refused():
    (problem,) = checks.check_removes({"db1": found("haproxy", "1", "2", removes=["haproxy-extra"])})
    assert (problem.code, problem.where) == ("FD366", "host db1")
    assert "haproxy-extra" in problem.found


def members(**running):
    return {
        "etcd": checks.Members(running.get("etcd", ("db1", "db2", "db3")), ("db1", "db2", "db3")),
        "rabbitmq": checks.Members(running.get("rabbitmq", ("db1", "db2", "db3")), ("db1", "db2", "db3")),
        "metastore": checks.Members(running.get("metastore", ("db1", "db2", "db3")), ("db1", "db2", "db3")),
    }


def test_every_member_runs_before_the_first_one_is_updated():
    assert checks.check_members(members(), {"db1": found("haproxy", "1", "2")}) == []
    (problem,) = checks.check_members(members(rabbitmq=("db1", "db3")), {"db1": found("haproxy", "1", "2")})
    assert problem.code == "FD367"
    assert problem.found == "2 of 3 running, without db2"
    assert problem.where == "RabbitMQ"


def test_nothing_to_do_needs_no_member():
    assert checks.check_members(members(etcd=("db1",)), {"db1": found()}) == []


def test_a_member_that_an_interrupted_update_left_down_may_be_the_one_that_is_missing():
    with_rest = {"db2": found(unfinished=["dpkg"]), "db1": found("haproxy", "1", "2")}
    assert checks.check_members(members(rabbitmq=("db1", "db3")), with_rest) == []
    assert checks.check_members(members(rabbitmq=("db3",)), with_rest) != []


def test_what_an_interrupted_run_left():
    node = CLUSTER.nodes["db1"]
    assert updates.resumed(found(), node, {}, []) == found()
    assert updates.resumed(found(), node, {"reason": "a new disk"}, ["rabbit@db2"]) == found()
    left = updates.resumed(found(unfinished=["dpkg"]), node, {"reason": updates.DRAIN_REASON}, [node.rabbitmq.nodename])
    assert left.unfinished == (updates.UNPACKED, updates.BROKER_DRAINED, updates.HOST_DRAINED)
    assert updates.half_way(left)
    assert not updates.half_way(found(unfinished=[updates.HOST_DRAINED]))
    # Whatever else there is to update, the broker restarts.
    assert updates.affected(node, left, everything=False) == ["rabbitmq"]
    assert updates.affected(CLUSTER.nodes["lb1"], left, everything=False) == []


def test_members_as_their_tiers_see_them():
    servers = [{"name": "db1", "state": "running"}, {"name": "db2", "state": "stopped"}]
    seen = checks.tiers(CLUSTER, ["db1", "db3"], ["rabbit@db2"], servers)
    assert {tier: list(members.running) for tier, members in seen.items()} == {
        "etcd": ["db1", "db3"],
        "rabbitmq": ["db2"],
        "metastore": ["db1"],
    }
    assert checks.tiers(cluster_model.build(single(), defaults()), [], [], []) == {}


def test_the_order_is_tier_by_tier_with_the_leader_last():
    everywhere = {name: found("libc6", "1", "2") for name in CLUSTER.nodes}
    order = updates.order(CLUSTER, everywhere, leader="db1")
    assert sorted(order) == sorted(CLUSTER.nodes)
    tiers = [updates.tier(CLUSTER.nodes[name]) for name in order]
    assert tiers == sorted(tiers, key=updates.TIERS.index)
    with_metastore = [name for name in order if CLUSTER.nodes[name].metastore]
    assert with_metastore[-1] == "db1"


def test_a_host_without_anything_to_do_is_left_alone():
    everywhere = {name: found() for name in CLUSTER.nodes}
    assert updates.order(CLUSTER, everywhere, leader="") == []
    assert updates.order(CLUSTER, {**everywhere, "db2": found(outdated={"etcd.service": ["etcd"]})}, leader="") == [
        "db2"
    ]


def test_a_host_whose_update_was_interrupted_comes_first():
    everywhere = {name: found("libc6", "1", "2") for name in CLUSTER.nodes}
    assert updates.order(CLUSTER, {**everywhere, "db3": found(unfinished=["dpkg"])}, leader="db1")[0] == "db3"


def test_only_some_hosts():
    everywhere = {name: found("libc6", "1", "2") for name in CLUSTER.nodes}
    assert updates.order(CLUSTER, everywhere, leader="", only=["db3", "db2"]) == ["db2", "db3"]


def test_hosts_that_do_not_exist_are_refused():
    assert checks.check_hosts(["db2"], CLUSTER) == []
    (problem,) = checks.check_hosts(["db2", "db9"], CLUSTER)
    assert (problem.code, problem.found) == ("FD368", "db9")


def test_what_is_said_before():
    lines = updates.lines(
        {
            "db1": found(
                "etcd-server", "3.4.23-4", "3.4.30-1", reboot="the kernel 6.1.0-9 is not the newest, 6.1.0-10"
            ),
            "db2": found(outdated={"patroni.service": ["postgres"]}, unfinished=["dpkg"]),
            "lb1": found(),
        },
        ["db1", "db2"],
    )
    assert lines == [
        "db1  etcd-server  3.4.23-4 to 3.4.30-1",
        "db1  reboot       the kernel 6.1.0-9 is not the newest, 6.1.0-10",
        "db2  dpkg         was interrupted: configures what is unpacked",
        "db2  restart      patroni.service, which runs an old postgres",
        "2 of 3 hosts have something to update",
    ]


def test_what_a_host_is_asked_for_and_what_restarts():
    node = CLUSTER.nodes["db1"]
    services = updates.backing(node.services)
    assert {"erlang-*", "rabbitmq-server", "patroni", "libpq5", "etcd-server"} <= set(updates.patterns(services))
    assert "haproxy" not in updates.patterns(services)
    assert {"patroni.service", "rabbitmq-server.service"} <= set(updates.units(services))
    assert not [unit for unit in updates.units(services) if "epmd" in unit]
    assert "patroni.service" not in updates.units(["rabbitmq"])
    assert updates.affected(node, found("erlang-base", "1", "2"), everything=False) == ["rabbitmq"]
    assert updates.affected(node, found("libpq5", "1", "2"), everything=False) == ["metastore"]
    assert updates.affected(node, found(outdated={"etcd.service": ["etcd"]}), everything=False) == ["etcd"]
    assert {"etcd", "metastore", "rabbitmq"} <= set(updates.affected(node, found("libc6", "1", "2"), everything=True))
    assert updates.affected(node, found(), everything=True) == []


def test_a_service_that_failed_before_is_refused_and_other_rows_are_not_asked():
    rows = [
        {"component": "backup run", "state": "failed", "detail": "x"},
        {"component": "queue default", "state": "failed", "detail": "x"},
        {"component": "quorum queues", "state": "failed", "detail": "default has 2 of 3 members online"},
        {"component": "etcd", "state": "degraded", "detail": "x"},
    ]
    (problem,) = checks.check_health({"db1": rows}, {"db1": found("libc6", "1", "2")})
    assert (problem.code, problem.where) == ("FD367", "host db1, quorum queues")
    assert checks.check_health({"db1": rows}, {"db1": found()}) == []
    (silent,) = checks.check_health({"db1": None}, {"db1": found("libc6", "1", "2")})
    assert (silent.code, silent.where, silent.found) == ("FD367", "host db1", "no status of its services")
