"""Servers leave the load balancing, and come back."""

from __future__ import annotations

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _node_status
from ansible_collections.flightdeck.airflow.plugins.modules import haproxy_servers


class HAProxy:
    """The state of each server of the listener web, as HAProxy's socket tells and changes it."""

    def __init__(self, **status):
        self.status = status

    def statistics(self, _path):
        rows = [f"web,{name},0,{status}" for name, status in {**self.status, "BACKEND": "UP"}.items()]
        return "\n".join(["# pxname,svname,scur,status", *rows])

    def answer(self, _path, command):
        name, state = command.removeprefix("set server web/").split(" state ")
        if self.status[name] in ("UP", "DRAIN"):
            self.status[name] = {"drain": "DRAIN", "ready": "UP"}[state]
        return "\n"


@pytest.fixture
def haproxy(host):
    def run(state, *servers, check=False, **status):
        program = HAProxy(**status)
        host.monkeypatch.setattr(_node_status, "haproxy_statistics", program.statistics)
        host.monkeypatch.setattr(_node_status, "haproxy_answer", program.answer)
        host.monkeypatch.setattr(haproxy_servers, "FOUND_UP_SECONDS", 0.2)
        host.monkeypatch.setattr(haproxy_servers, "POLL_SECONDS", 0.01)
        result = host.run("haproxy_servers", check=check, listeners=["web"], servers=list(servers), state=state)
        return program.status, result

    return run


def test_a_server_is_drained_and_comes_back(haproxy):
    status, result = haproxy("drain", "web1", web1="UP", web2="UP")
    assert status == {"web1": "DRAIN", "web2": "UP"}
    assert result["diff"] == {"before": "web/web1 UP\n", "after": "web/web1 drain\n"}
    status, result = haproxy("ready", "web1", web1="DRAIN", web2="UP")
    assert status == {"web1": "UP", "web2": "UP"}
    assert not haproxy("ready", "web1", web1="UP", web2="UP")[1]["changed"]


def test_what_a_killed_run_drained_gets_requests_before_the_last_one_stops(haproxy):
    status, result = haproxy("drain", "web1", web1="UP", web2="DRAIN")
    assert status == {"web1": "DRAIN", "web2": "UP"}
    assert result["diff"] == {"before": "web/web2 DRAIN\nweb/web1 UP\n", "after": "web/web2 ready\nweb/web1 drain\n"}


def test_an_operators_maintenance_is_left_alone(haproxy):
    status, _result = haproxy("drain", "web1", web1="UP", web2="MAINT")
    assert status == {"web1": "DRAIN", "web2": "MAINT"}


def test_a_host_that_is_down_does_not_keep_the_last_one_for_ever(haproxy):
    assert haproxy("drain", "web1", web1="UP", web2="DOWN")[0] == {"web1": "DRAIN", "web2": "DOWN"}


def test_check_mode_changes_nothing(haproxy):
    status, result = haproxy("drain", "web1", check=True, web1="UP", web2="DRAIN")
    assert status == {"web1": "UP", "web2": "DRAIN"}
    assert result["changed"]
