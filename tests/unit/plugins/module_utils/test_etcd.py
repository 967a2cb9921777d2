"""What etcdctl 3.4 says of its members, taken down from three real ones."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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


@pytest.mark.parametrize("text", ["", "Error: context deadline exceeded", "{}", "[]", '{"members": [{}]}'])
def test_no_answer_is_not_an_answer_without_members(text):
    with pytest.raises(ValueError, match=r"no list of members|Expecting value"):
        _etcd.members(text)


@pytest.fixture
def peer():
    """The listener for peers of a member that answers with ``peer.says``; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/members" else 404)
            self.end_headers()
            self.wfile.write(server.says.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{server.server_port}"
    server.says = ""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_member_that_waits_for_the_others_answers_its_peers(peer):
    """Its answer has the members' ids under another name than that for clients."""
    peer.says = json.dumps([{"id": member["ID"], **member} for member in (*STARTED, NEVER_STARTED)])
    assert _etcd.seen_by_peer(peer.url) == listed(NEVER_STARTED)


@pytest.mark.parametrize("says", ["", "{}", '{"members": []}', '[{"name": "db1"}]'])
def test_a_peer_that_says_something_else_has_not_answered(peer, says):
    peer.says = says
    assert _etcd.seen_by_peer(peer.url) is None


def test_a_member_that_does_not_run_or_has_no_certificate_has_not_answered():
    assert _etcd.seen_by_peer("http://127.0.0.1:1") is None
    assert _etcd.seen_by_peer("https://127.0.0.1:1") is None


def test_one_that_joins_gets_all_names_and_its_own():
    assert _etcd.initial_cluster(listed(ADDED), "db3") == f"db1={DB1},db2={DB2},db3={DB3}"


def test_certificates_are_for_encrypted_members():
    assert _etcd.command(DB1, "member", "list") == ["etcdctl", f"--endpoints={DB1}", "member", "list"]
    assert "--cacert=/etc/etcd/airflow-tls/ca.crt" in _etcd.command("https://192.0.2.1:2379")
