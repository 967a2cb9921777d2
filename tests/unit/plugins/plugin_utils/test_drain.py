"""What is left of a cluster without some hosts."""

from __future__ import annotations

import re

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import cluster as cluster_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import drained
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import drain, inventory
from test_cluster import defaults, host, reference

MODEL = cluster_model.build(reference(), defaults())
# worker1 alone has the second queue.
QUEUES = cluster_model.build(
    [
        *reference(0),
        host("worker1", 21, "worker", queues=("default", "gpu")),
        host("worker2", 22, "worker"),
    ],
    defaults(),
)
UNITS = {name: ["airflow-x.service"] for name in MODEL.airflow_hosts}


def healthy(model, **failed):
    """Rows of a cluster in which all but ``failed`` (components by host) works."""
    return {
        name: [
            {"component": unit.label, "state": "failed" if unit.label in failed.get(name, ()) else "ok"}
            for unit in (node.airflow.units if node.airflow else ())
        ]
        for name, node in model.nodes.items()
    }


@pytest.mark.parametrize(
    ("names", "limit", "found"),
    [
        (["worker2"], "", None),
        (["worker2", "master1"], "", None),
        ([], "", "nothing"),
        (["worker9"], "", "worker9"),
        (["mq1"], "", "mq1"),
        (["worker2"], "worker2", "--limit worker2"),
    ],
)
def test_hosts_that_can_be_drained_run_something_of_airflow(names, limit, found):
    problems = drain.check_hosts(names, MODEL, limit, UNITS)
    assert [problem.found for problem in problems] == ([found] if found else [])


def test_a_host_that_was_never_deployed_has_nothing_to_drain():
    (problem,) = drain.check_hosts(["worker2"], MODEL, "", {"worker1": ["airflow-x.service"]})
    assert "worker2 without a unit" in problem.found


@pytest.mark.parametrize(
    ("leaving", "away", "failed", "missing"),
    [
        (["worker2"], [], {}, []),
        (["master1", "worker1"], [], {}, []),
        (["worker1", "worker2"], [], {}, ["worker of queue default"] * 2),
        (["worker2"], ["worker1"], {}, ["worker of queue default"]),
        # One that is drained already asks the same of the others.
        (["worker2"], ["worker2"], {}, []),
        (["master2"], [], {"master1": ["scheduler"]}, ["scheduler"]),
        (["master2"], ["master1"], {}, ["api-server", "scheduler", "DAG processor", "triggerer"]),
    ],
)
def test_the_last_of_a_kind_stays(leaving, away, failed, missing):
    problems = drain.check_capacity(leaving, away, healthy(MODEL, **failed), MODEL)
    assert [problem.found.partition("no other ")[2].partition(" that works")[0] for problem in problems] == missing
    assert all(str(problem).startswith(f"FD322 host {leaving[0][:6]}") for problem in problems)


def test_each_queue_needs_a_worker():
    (problem,) = drain.check_capacity(["worker1"], [], healthy(QUEUES), QUEUES)
    assert problem.found == "no other worker of queue gpu that works"
    assert drain.check_capacity(["worker2"], [], healthy(QUEUES), QUEUES) == []


def test_the_message_says_why_the_others_do_not_count():
    status = healthy(MODEL, master1=["scheduler"])
    (problem,) = drain.check_capacity(["master2"], [], status, MODEL)
    assert "scheduler that works: master1 (not healthy)" in problem.found
    (problem,) = drain.check_capacity(["worker2"], ["worker1"], status, MODEL)
    assert "worker1 (drained)" in problem.found
    assert "-e airflow_confirm=airflow" in problem.remedy


def test_what_is_printed_of_running_tasks():
    address = MODEL.nodes["worker2"].address
    running = [
        {"host": address, "task": "sales.load of r1", "seconds": 125},
        {"host": "192.0.2.250", "task": "elsewhere", "seconds": 1},
    ]
    assert drained.running_lines(["master1", "worker1", "worker2"], MODEL, running) == [
        "worker1: 0 running tasks",
        "worker2: 1 running tasks, which get 600 s at most to finish",
        "  sales.load of r1, for 125 s",
    ]


def test_a_host_that_was_not_asked_counts_as_one_that_works():
    record = {"since": "2026-01-01T00:00:00Z", "reason": "a disk"}
    hostvars = {
        "a": {"ansible_facts": {"flightdeck_drained": record}},
        "b": {"ansible_facts": {"flightdeck_drained": {}}},
        "c": {},
    }
    assert drained.drained_hosts(["a", "b", "c", "d"], hostvars) == {"a": record}


def test_a_host_that_leaves_is_one_of_the_inventory():
    assert drain.check_removal(["db1"], ["db1", "db2"]) == []
    (problem,) = drain.check_removal(["db1", "db9"], ["db1", "db2"])
    assert (problem.found, problem.where) == ("db9", "airflow_removed_host")


def test_problems_of_the_rest_say_why_hosts_are_missing():
    other = inventory.check(reference()[:-1], defaults())
    assert [problem.code for problem in other] == ["FD102"]
    assert drain.explained(other, []) == other
    assert drain.explained([], ["mq3"]) == []
    assert [problem.code for problem in drain.explained(other, ["mq3"])] == ["FD325", "FD102"]


@pytest.mark.parametrize(
    ("running", "leaving", "refused"),
    [
        ("abc", "a", []),
        # Lost, or reachable: the others decide.
        ("bc", "a", []),
        # Of the other two one does not run.
        ("ab", "a", ["a"]),
        ("a", "a", ["a"]),
        ("abc", "ab", []),
        ("bc", "ab", []),
        ("ac", "ab", ["a", "b"]),
        # One that is no member any more, as after a run that was killed.
        ("bc", "x", []),
    ],
)
def test_the_others_keep_a_majority(running, leaving, refused):
    members = drain.Members("etcd", list("abc"), set(running))
    problems = drain.check_majority(members, list(leaving), "a")
    assert [re.search("removing (.) leaves", problem.found)[1] for problem in problems] == refused


def test_what_is_said_of_a_majority():
    (problem,) = drain.check_majority(drain.Members("RabbitMQ", ["mq1", "mq2", "mq3"], ["mq1", "mq2"]), ["mq2"], "mq2")
    assert str(problem).startswith(
        "FD326 host mq2, RabbitMQ: found removing mq2 leaves 1 of 3 running: no majority; expected most members"
    )


QUORUM = {"name": "default", "type": "quorum", "members": ["a", "b", "c"], "online": ["a", "b", "c"], "durable": True}


@pytest.mark.parametrize(
    ("queue", "codes"),
    [
        (QUORUM, []),
        ({**QUORUM, "online": ["a", "b"]}, ["FD326"]),
        ({**QUORUM, "members": ["a"], "online": ["a"]}, ["FD326"]),
        ({**QUORUM, "members": ["b"], "online": ["b"]}, []),
        ({"name": "mine", "type": "classic", "node": "a", "durable": True, "messages": 3}, ["FD326"]),
        ({"name": "mine", "type": "classic", "node": "b", "durable": True, "messages": 3}, []),
        # Workers declare theirs again elsewhere.
        ({"name": "celery_delayed_0", "type": "classic", "node": "a", "durable": True, "messages": 0}, []),
        ({"name": "x.pidbox", "type": "classic", "node": "a", "durable": False, "messages": 1}, []),
    ],
)
def test_no_queue_is_lost_with_a_node(queue, codes):
    assert [problem.code for problem in drain.check_queues([queue], ["a"], "a")] == codes


def patroni(**states):
    """Members by name, with role and state."""
    return [dict(zip(("name", "role", "state"), (name, *said), strict=True)) for name, said in states.items()]


LEADER, FOLLOWER, STOPPED = ("leader", "running"), ("sync_standby", "streaming"), ("replica", "stopped")


@pytest.mark.parametrize(
    ("members", "leaving", "stays", "codes"),
    [
        (patroni(a=LEADER, b=FOLLOWER, c=FOLLOWER), ["c"], True, []),
        (patroni(a=LEADER, b=FOLLOWER, c=FOLLOWER), ["a"], True, ["FD328"]),
        (patroni(a=("master", "running"), b=FOLLOWER, c=FOLLOWER), ["a"], True, ["FD328"]),
        (patroni(a=LEADER, b=FOLLOWER, c=FOLLOWER), ["b", "c"], False, ["FD326"]),
        (patroni(a=LEADER, b=STOPPED, c=FOLLOWER), ["c"], True, ["FD326"]),
        (patroni(a=FOLLOWER, b=FOLLOWER, c=FOLLOWER), ["c"], True, ["FD326"]),
        (patroni(a=LEADER, b=FOLLOWER), ["c"], True, []),
        ([], ["c"], False, []),
    ],
)
def test_the_metastore_keeps_a_leader_and_a_copy(members, leaving, stays, codes):
    assert [problem.code for problem in drain.check_metastore(members, leaving, patroni_stays=stays)] == codes
