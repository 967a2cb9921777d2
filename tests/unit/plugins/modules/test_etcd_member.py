"""The module with an etcdctl that has members as etcd does, and refuses as often as it is configured to."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace

import pytest
from ansible_collections.flightdeck.airflow.plugins.modules import etcd_member

URLS = {f"db{number}": f"https://192.0.2.{number}:2380" for number in (1, 2, 3)}
UNHEALTHY = '{"level":"warn","msg":"retrying of unary invoker failed"}\nError: etcdserver: unhealthy cluster\n'


class EndError(Exception):
    """The module said something and ended."""


class Etcd:
    """Members by id, and what was done to them."""

    def __init__(self, *names):
        self.members = {
            number: {"ID": number, "name": name, "peerURLs": [URLS[name]], "clientURLs": ["x"]}
            for number, name in names
        }
        self.told = []
        self.refusals = 0
        self.loses_answers = False

    def run(self, command):
        what = command[command.index("member") + 1 :]
        if what[0] == "list":
            return 0, json.dumps({"members": list(self.members.values())}), ""
        self.told.append(" ".join(what))
        if self.refusals:
            self.refusals -= 1
            return 1, "", UNHEALTHY
        if what[0] == "remove":
            del self.members[int(what[1], 16)]
            return 0, "", ""
        self.members[99] = {"ID": 99, "peerURLs": [what[2].removeprefix("--peer-urls=")]}
        return (1, "", "Error: context deadline exceeded") if self.loses_answers else (0, "", "")


@pytest.fixture
def execute(monkeypatch):
    """Result of one execution about db3."""
    clock = itertools.count(step=10.0)
    monkeypatch.setattr(etcd_member.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(etcd_member.time, "monotonic", lambda: next(clock))

    def end(**result):
        raise EndError(result)

    def run(etcd, state="present", check=False, program="/usr/bin/etcdctl"):
        params = {
            "url": "https://192.0.2.1:2379",
            "name": "db3",
            "peer_url": URLS["db3"],
            "state": state,
            "timeout_seconds": 60,
        }
        said = {"run_command": etcd.run, "exit_json": end, "fail_json": end, "get_bin_path": lambda _name: program}
        module = SimpleNamespace(params=params, check_mode=check, **said)
        monkeypatch.setattr(etcd_member, "AnsibleModule", lambda **_spec: module)
        with pytest.raises(EndError) as ended:
            etcd_member.main()
        return ended.value.args[0]

    return run


def three():
    return Etcd((161, "db1"), (162, "db2"), (163, "db3"))


def test_a_lost_one_is_forgotten_and_taken_in_again_once(execute):
    etcd = three()
    assert [execute(etcd, "absent")["changed"] for _ in range(2)] == [True, False]
    joined = execute(etcd)
    assert joined["changed"]
    assert joined["initial_cluster"] == ",".join(f"{name}={url}" for name, url in URLS.items())
    assert execute(etcd) == {
        **joined,
        "changed": False,
        "diff": {"before": joined["diff"]["after"], "after": joined["diff"]["after"]},
    }
    assert etcd.told == ["remove a3", f"add db3 --peer-urls={URLS['db3']}"]


@pytest.mark.parametrize(("members", "state"), [(three(), "absent"), (Etcd((1, "db1"), (2, "db2")), "present")])
def test_in_check_mode_it_only_looks(execute, members, state):
    result = execute(members, state, check=True)
    assert (result["changed"], members.told) == (True, [])
    shown = [f"db3={URLS['db3']}" in result["diff"][side] for side in ("before", "after")]
    assert shown == [state == "absent", state == "present"]


def test_in_check_mode_a_host_that_lacks_the_package_would_join(execute):
    assert execute(three(), check=True, program=None) == {"changed": True, "initial_cluster": ""}


def test_it_waits_until_the_others_are_ready(execute):
    etcd = Etcd((1, "db1"), (2, "db2"))
    etcd.refusals = 3
    assert execute(etcd)["changed"]
    assert len(etcd.told) == 4


def test_an_answer_that_was_lost_does_no_harm(execute):
    etcd = Etcd((1, "db1"), (2, "db2"))
    etcd.loses_answers = True
    assert execute(etcd)["initial_cluster"].endswith(f"db3={URLS['db3']}")
    assert len(etcd.told) == 1


@pytest.mark.parametrize(("etcd", "state"), [(three(), "absent"), (Etcd((1, "db1")), "present")])
def test_what_etcd_refuses_is_reported_in_its_words(execute, etcd, state):
    etcd.refusals = 99
    before = dict(etcd.members)
    assert "FD186 etcd: found etcdserver: unhealthy cluster; expected" in execute(etcd, state)["msg"]
    assert etcd.members == before
