"""What etcdctl 3.4 says of its members, taken down from three real ones."""

from __future__ import annotations

import json

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _etcd

DB1, DB2, DB3 = (f"http://127.0.0.1:2{number}80" for number in (1, 2, 3))
STARTED = [
    {"ID": 14387780914492396733, "name": "db1", "peerURLs": [DB1], "clientURLs": ["http://127.0.0.1:2179"]},
    {"ID": 1968140447211779171, "name": "db2", "peerURLs": [DB2], "clientURLs": ["http://127.0.0.1:2279"]},
]
# A cluster began with it; and it was added to one.
NEVER_STARTED = {"ID": 6598929098562179454, "name": "db3", "peerURLs": [DB3]}
ADDED = {"ID": 7447469480414300943, "peerURLs": [DB3]}


def listed(*more):
    return _etcd.members(json.dumps({"header": {"raft_term": 2}, "members": [*STARTED, *more]}))


def test_ids_are_those_that_commands_take():
    assert [member["id"] for member in listed(ADDED)] == ["c7abaa831276d4bd", "1b503d4f2022f463", "675aba08b7a84b0f"]


@pytest.mark.parametrize(("third", "name"), [(NEVER_STARTED, "db3"), (ADDED, "")])
def test_one_that_has_not_started_is_found_with_and_without_its_name(third, name):
    member = _etcd.find(listed(third), "db3", DB3)
    assert (member["name"], member["started"]) == (name, False)
    assert _etcd.find(listed(third), "db1", "http://192.0.2.9:2380")["started"]


def test_one_that_is_none_is_not_found():
    assert _etcd.find(listed(), "db3", DB3) is None


@pytest.mark.parametrize("text", ["", "Error: context deadline exceeded", "{}"])
def test_no_answer_has_no_members(text):
    assert _etcd.members(text) == []


def test_one_that_joins_is_told_of_all_and_its_own_name():
    assert _etcd.initial_cluster(listed(ADDED), "db3") == f"db1={DB1},db2={DB2},db3={DB3}"


def test_certificates_are_for_encrypted_members():
    assert _etcd.command(DB1, "member", "list") == ["etcdctl", f"--endpoints={DB1}", "member", "list"]
    assert "--cacert=/etc/etcd/airflow-tls/ca.crt" in _etcd.command("https://192.0.2.1:2379")
