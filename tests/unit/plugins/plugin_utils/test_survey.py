"""Hosts that lost their data, and those that never had any."""

from __future__ import annotations

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import services
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import cluster, survey
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import preflight
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import report
from test_cluster import available, defaults, host, reference
from test_preflight import OWN, looked

MODEL = cluster.build(available(), defaults())
STORES = ("db1", "db2", "db3")


def member(name, started=True, named=True):
    return {
        "id": "a",
        "name": name if named else "",
        "peer_urls": [MODEL.nodes[name].etcd.peer_url],
        "started": started,
    }


def found(empty=("db3",), etcd=(), nodes=STORES, without=(), model=MODEL):
    """Facts of all hosts, those in ``empty`` without data; ``etcd`` and ``nodes`` are the members that others name,
    or None."""

    def known(members):
        return None if members is None else list(members)

    facts = {}
    for name in model.nodes:
        if name in without:
            continue
        data = name not in empty
        facts[name] = looked(model, name)
        facts[name]["flightdeck_postgresql_data"] = data
        facts[name]["preflight"]["tiers"] = {
            "etcd": {"data": data, "members": known(etcd) if data else []},
            "rabbitmq": {
                "data": data,
                "members": known(nodes and [f"rabbit@{each}" for each in nodes]) if data else [],
            },
        }
    return facts


def surveyed(facts, model):
    """The survey as roles read it."""
    return {name: tier.to_vars() for name, tier in survey.survey(preflight.host_data(facts), model).items()}


def problems(facts, model=MODEL):
    return preflight.check(facts, model, OWN)[0]


ALL = [member(name) for name in STORES]


def test_a_host_that_lost_its_data_is_refused_and_told_what_to_run():
    facts = found(etcd=ALL)
    (problem,) = problems(facts)
    assert (problem.code, problem.where) == ("FD221", "data of host db3")
    assert "etcd and RabbitMQ" in problem.found
    assert "flightdeck.airflow.replace_host -e airflow_replaced_host=db3" in report([problem])
    known = surveyed(facts, MODEL)
    assert {tier: known[tier]["lost"] for tier in known} == {
        "etcd": {"db3": "db3"},
        "rabbitmq": {"db3": "rabbit@db3"},
        "metastore": {},
    }
    assert {tier: known[tier]["empty"] for tier in known} == {tier: ["db3"] for tier in known}
    assert known["etcd"]["joining"] == []


@pytest.mark.parametrize(
    ("facts", "joining"),
    [
        # The first deployment, one that was interrupted, and hosts with data that do not answer.
        (found(empty=STORES), []),
        (found(etcd=[*ALL[:2], member("db3", started=False)], nodes=STORES[:2]), []),
        (found(empty=(), etcd=None, nodes=None), []),
        # The others have forgotten it, and took it in again in a run that was interrupted.
        (found(etcd=ALL[:2], nodes=STORES[:2]), ["db3"]),
        (found(etcd=[*ALL[:2], member("db3", started=False, named=False)], nodes=STORES[:2]), ["db3"]),
        (found(empty=(), etcd=ALL), []),
    ],
)
def test_all_others_are_deployed(facts, joining):
    assert problems(facts) == []
    known = surveyed(facts, MODEL)
    assert {name for tier in known.values() for name in tier["lost"]} == set()
    assert known["etcd"]["joining"] == joining


def test_the_member_that_answers_is_asked():
    facts = found(etcd=ALL)
    facts["db1"]["preflight"]["tiers"]["etcd"]["members"] = None
    assert surveyed(facts, MODEL)["etcd"]["source"] == "db2"


SILENT = [host("db4", 134, "etcd"), host("db5", 135, "etcd")]


@pytest.mark.parametrize(
    ("facts", "tiers"),
    [
        (found(etcd=None, nodes=STORES[:2]), "etcd"),
        (found(etcd=ALL[:2], nodes=None), "RabbitMQ"),
        (found(etcd=None, nodes=None), "etcd and RabbitMQ"),
    ],
)
def test_an_empty_host_is_refused_when_it_is_unknown_whether_the_others_count_on_it(facts, tiers):
    (problem,) = problems(facts)
    assert (problem.code, problem.where) == ("FD223", "data of host db3")
    assert f"none of {tiers}, and too few answers of the members that have data (db1, db2)" in problem.found
    assert preflight.check(facts, MODEL, OWN, deploy=False) == ([], [])


@pytest.mark.parametrize(
    ("silent", "started", "codes"),
    [
        # Of five, three answer, which are most; two are not, and may not know yet that the host had started.
        (("db1",), False, []),
        (("db1", "db2"), False, ["FD223"]),
        # That one says it did is enough.
        (("db1", "db2", "db3"), True, ["FD221"]),
    ],
)
def test_an_answer_counts_when_most_members_give_it(silent, started, codes):
    model = cluster.build([*available(), *SILENT], defaults())
    members = [
        {**member("db1"), "name": name, "peer_urls": [model.nodes[name].etcd.peer_url]}
        for name in (*STORES, "db4", "db5")
    ]
    members[-1]["started"] = started
    facts = found(empty=("db5",), etcd=members, model=model)
    for name in silent:
        facts[name]["preflight"]["tiers"]["etcd"]["members"] = None
    assert [problem.code for problem in problems(facts, model)] == codes


def test_the_only_member_with_data_is_enough_of_an_interrupted_first_deployment():
    facts = found(
        empty=("db2", "db3"), etcd=[ALL[0], *(member(name, started=False) for name in STORES[1:])], nodes=STORES[:1]
    )
    assert problems(facts) == []


@pytest.mark.parametrize(("without", "codes"), [(("db1", "db2"), ["FD222"]), (("db1",), ["FD221"])])
def test_a_run_that_does_not_see_the_others(without, codes):
    assert [problem.code for problem in problems(found(etcd=ALL, without=without))] == codes


def test_a_first_deployment_may_leave_one_host_for_later():
    assert problems(found(empty=STORES, without=("db3",))) == []


@pytest.mark.parametrize(
    ("empty", "without", "new"),
    [
        (STORES, (), True),
        (STORES, ("db3",), True),
        (("db1", "db2"), (), False),
        (("db1",), ("db3",), False),
        ((), (), False),
    ],
)
def test_a_store_is_new_when_none_of_its_members_has_data(empty, without, new):
    known = surveyed(found(empty=empty, without=without), MODEL)
    assert {tier: known[tier]["new"] for tier in known} == dict.fromkeys(services.MEMBER_TIERS, new)


def test_two_more_members_of_etcd_join():
    model = cluster.build([*available(), host("db4", 134, "etcd"), host("db5", 135, "etcd")], defaults())
    facts = found(empty=("db4", "db5"), etcd=ALL, model=model)
    assert problems(facts, model) == []
    assert surveyed(facts, model)["etcd"]["joining"] == ["db4", "db5"]


def test_no_other_member_counts_on_a_single_one():
    model = cluster.build(reference(), defaults())
    known = surveyed({name: looked(model, name) for name in model.nodes}, model)
    assert known["metastore"] == {
        "new": False,
        "origins": [],
        "empty": [],
        "lost": {},
        "joining": [],
        "unknown": [],
        "source": "",
    }


def test_what_a_host_is_asked_for():
    assert survey.wanted(MODEL, "db1").tiers.to_vars() == {
        "etcd": {"client_url": "https://192.0.2.131:2379", "peer_url": "https://192.0.2.131:2380"},
        "rabbitmq": "rabbit@db1",
    }
    assert survey.wanted(MODEL, "worker1").tiers.to_vars() == {}
