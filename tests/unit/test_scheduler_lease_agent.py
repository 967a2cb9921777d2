"""The agent against a metastore in memory that does what the functions in the real one do, by a clock that the
tests set."""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
PATH = ROOT / "roles/scheduler_lease/files/flightdeck_scheduler_lease.py"
SPEC = importlib.util.spec_from_file_location("flightdeck_scheduler_lease", PATH)
lease = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(lease)
SQL = (ROOT / "roles/scheduler_lease/templates/scheduler_lease.sql.j2").read_text()


class Time:
    """A clock."""

    now = 1000.0

    def __call__(self):
        return self.now


class Server:
    """What scheduler_lease.sql does, and the sessions of schedulers.

    Sessions are pid to (host, epoch of the process, admitted).
    """

    TTL, LIVENESS_WINDOW, REQUEST_TIMEOUT = 30, 15, 120

    def __init__(self, clock, hosts):
        self.clock = clock
        self.epoch, self.leader, self.renewed_at, self.requested_host = 0, None, 0.0, None
        self.requested_at = 0.0
        self.last_active = None
        self.last_seen_at = dict.fromkeys(hosts)
        self.state = dict.fromkeys(hosts, "")
        self.login = dict.fromkeys(hosts, False)
        self.sessions, self.pids = {}, 0
        self.commits = []

    def valid(self):
        return self.leader is not None and abs(self.clock() - self.renewed_at) <= self.TTL

    def live(self, host):
        return (
            self.last_seen_at.get(host) is not None
            and abs(self.clock() - self.last_seen_at[host]) <= self.LIVENESS_WINDOW
        )

    def valid_request(self):
        recent = abs(self.clock() - self.requested_at) <= self.REQUEST_TIMEOUT
        return self.requested_host if recent and self.live(self.requested_host) else None

    def record_state(self, me, state):
        if me not in self.last_seen_at:
            raise lease.RefusedError(f"host {me} may not hold the lease: deploy the whole cluster")
        self.last_seen_at[me], self.state[me] = self.clock(), state

    def extend(self, me, epoch):
        if (self.leader, self.epoch) != (me, epoch):
            raise lease.RefusedError(f"epoch {epoch} of {me} is over")
        self.renewed_at = self.clock()

    def revoke_logins(self):
        self.login = dict.fromkeys(self.login, False)

    def acquire(self, me, state):
        self.record_state(me, state)
        previous = self.leader
        others = previous is not None and previous != me and self.valid()
        if others or self.valid_request() not in (None, me):
            if previous == me:
                self.revoke_logins()
                self.leader = None
            return {"epoch": None, "leader": self.leader}
        self.epoch, self.leader, self.renewed_at, self.requested_host = self.epoch + 1, me, self.clock(), None
        self.revoke_logins()
        return {"epoch": self.epoch, "leader": previous}

    def fence(self, me, epoch, lingering):
        self.extend(me, epoch)
        self.record_state(me, lease.FENCING)
        starting = [pid for pid, (_host, _epoch, admitted) in self.sessions.items() if not admitted]
        sessions = [pid for pid in self.sessions if pid not in starting]
        for pid in [*sessions, *(pid for pid in starting if pid in lingering)]:
            del self.sessions[pid]
        return {"sessions": sessions, "starting": starting}

    def activate(self, me, epoch):
        self.extend(me, epoch)
        self.record_state(me, lease.ACTIVE)
        if any(admitted for _host, _epoch, admitted in self.sessions.values()):
            raise lease.RefusedError("a scheduler has a session: it has to be fenced first")
        self.login[me] = True
        previous, self.last_active = self.last_active, me
        self.requested_host = None if self.requested_host == me else self.requested_host
        return {"previous": previous}

    def renew(self, me, epoch, state):
        self.extend(me, epoch)
        self.record_state(me, state)
        self.sessions = {pid: session for pid, session in self.sessions.items() if session[0] == me or not session[2]}
        return {"requested_host": None if self.valid_request() == me else self.valid_request()}

    def release(self, me, epoch):
        self.extend(me, epoch)
        self.revoke_logins()
        self.leader = None
        return {}

    def request_switchover(self, host):
        if not self.live(host):
            raise lease.RefusedError(f"host {host} is unknown or not live")
        self.requested_host, self.requested_at = host, self.clock()
        return {}

    def clear(self):
        if self.valid():
            raise lease.RefusedError(f"the lease of {self.leader} is valid")
        self.leader = self.requested_host = None
        self.revoke_logins()
        return {}

    def status(self):
        nodes = [
            {
                "host": host,
                "login": f"airflow_sched_{host}",
                "can_login": self.login[host],
                "state": self.state[host],
                "last_seen_seconds": None if seen is None else self.clock() - seen,
                "live": self.live(host),
            }
            for host, seen in sorted(self.last_seen_at.items())
        ]
        row = {
            "epoch": self.epoch,
            "leader": self.leader,
            "requested_host": self.valid_request(),
            "valid": self.valid(),
        }
        return {**row, "renewed_seconds": self.clock() - self.renewed_at, "nodes": nodes}

    # What schedulers do.

    def connect(self, host, epoch, admitted=True):
        if self.login[host]:
            self.pids += 1
            self.sessions[self.pids] = (host, epoch, admitted)

    def commit(self, pid):
        self.commits.append(self.sessions[pid][1])


class Line:
    """A host's way to the server. ``fault`` is what the next calls suffer: before they are heard, or after."""

    def __init__(self, server):
        self.server = server
        self.fault = ""

    def call(self, function, *arguments):
        if self.fault == "lost":
            self.server.clock.now += lease.CALL_TIMEOUT
            raise lease.UnreachableError("no answer within 4 s")
        answer = getattr(self.server, function)(*arguments)
        if self.fault == "unanswered":
            self.server.clock.now += lease.CALL_TIMEOUT
            raise lease.UnreachableError("the commit hangs")
        return answer


class Child:
    """A scheduler that ends when it is asked to."""

    def __init__(self):
        self.pid, self.code, self.starts, self.asked = 0, 0, 0, 0

    def start(self):
        self.starts += 1
        self.pid, self.code = self.starts, None

    def ended(self):
        return self.code

    def terminate(self):
        self.asked += 1

    def kill(self):
        self.pid, self.code = 0, 0


class Host:
    """An agent with all that it touches."""

    def __init__(self, name, server):
        self.name, self.line, self.child, self.server = name, Line(server), Child(), server
        self.notified, self.moves, self.alarms = [], [], []
        self.boot()

    def boot(self):
        """systemd starts the agent, with nothing left of an earlier one."""
        self.child.kill()
        self.agent = lease.Agent(
            self.name,
            self.line,
            self.child,
            notify=self.notified.append,
            moved=lambda previous, epoch: self.moves.append((previous, epoch)),
            alarm=self.alarms.append,
            clock=self.server.clock,
        )

    def step(self):
        """One step; an agent that ends is started again."""
        try:
            return self.agent.step()
        except SystemExit:
            self.boot()
            return 5.0

    @property
    def active(self):
        return self.agent.state == lease.ACTIVE and self.child.code is None


@pytest.fixture
def clock():
    return Time()


@pytest.fixture
def server(clock):
    return Server(clock, ["m1", "m2"])


@pytest.fixture
def pair(server):
    return Host("m1", server), Host("m2", server)


def run(clock, hosts, seconds, until=lambda: False):
    """Let time pass; returns how much did."""
    due = dict.fromkeys(hosts, clock.now)
    begun = clock.now
    while clock.now - begun < seconds and not until():
        for host in hosts:
            if due[host] <= clock.now and not host.agent.done:
                due[host] = clock.now + host.step()
        clock.now += 0.25
    return clock.now - begun


def activated(pair, clock):
    """The first of them is active, the second is standby."""
    run(clock, pair[:1], 10, until=lambda: pair[0].active)
    assert pair[0].active
    run(clock, pair, 4)
    assert not pair[1].active
    return pair


def test_agent_and_metastore_have_the_same_times_and_functions():
    assert f"interval '{lease.TTL} seconds'" in SQL
    assert re.search(
        rf"liveness_window\(\) RETURNS interval.*?interval '{Server.LIVENESS_WINDOW} seconds'", SQL, re.DOTALL
    )
    assert re.search(
        rf"request_timeout\(\) RETURNS interval.*?interval '{Server.REQUEST_TIMEOUT} seconds'", SQL, re.DOTALL
    )
    assert Server.TTL == lease.TTL
    # A standby calls often enough to count as live, also when a call fails.
    assert 3 * lease.POLL_INTERVAL + lease.CALL_TIMEOUT < Server.LIVENESS_WINDOW
    # The scheduler is dead, also by the kernel's hand, before the lease expires; and there were several attempts to
    # renew it.
    assert lease.TTL - lease.MARGIN + 1 < lease.TTL
    assert lease.TTL - lease.MARGIN >= lease.RENEW_INTERVAL + 3 * lease.CALL_TIMEOUT
    assert {f"'{state}'" for state in (lease.FENCING, lease.ACTIVE)} <= set(
        re.findall(r"record_state\(me, ('\w+')\)", SQL)
    )
    called = set(re.findall(r'call\("(\w+)"', PATH.read_text()))
    granted = re.search(r"GRANT EXECUTE ON FUNCTION(.*?)TO \{\{", SQL, re.DOTALL)[1]
    assert called == set(re.findall(r"scheduler_lease\.(\w+)", granted))
    definers = re.findall(
        r"FUNCTION scheduler_lease\.(\w+)\([^;]*?SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS", SQL
    )
    assert called == set(definers)


def test_the_version_is_that_of_the_collection():
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"] == lease.VERSION


def test_one_is_active_and_the_other_is_standby(pair, clock, server):
    first, second = activated(pair, clock)
    run(clock, pair, 600)
    assert (first.active, second.active, server.epoch) == (True, False, 1)
    assert server.login == {"m1": True, "m2": False}
    assert first.moves == []
    assert second.agent.status()["summary"] == "standby, m1 is the leader"


def test_the_scheduler_starts_after_no_session_was_found_for_two_seconds(pair, clock, server):
    server.sessions = {7: ("m2", 0, True), 8: ("m9", 0, True)}
    server.pids = 8
    begun = clock.now
    run(clock, pair[:1], 20, until=lambda: pair[0].active)
    assert clock.now - begun >= lease.FENCE_PERIOD
    assert server.sessions == {}


def test_a_session_that_is_being_admitted_is_waited_for_and_ended(pair, clock, server):
    server.sessions = {7: ("m2", 0, False)}
    server.pids = 7
    run(clock, pair[:1], lease.FENCE_PERIOD, until=lambda: pair[0].active)
    assert not pair[0].active
    # One that began later fails the check of its login.
    server.sessions[8] = ("m2", 0, False)
    run(clock, pair[:1], 10, until=lambda: pair[0].active)
    assert pair[0].active
    assert 7 not in server.sessions
    assert 8 in server.sessions


def test_a_lost_host_is_replaced_when_its_lease_has_expired(pair, clock, server):
    _first, second = activated(pair, clock)
    took = run(clock, [second], 120, until=lambda: second.active)
    assert took <= lease.TTL + lease.POLL_INTERVAL + lease.FENCE_PERIOD + 2
    assert second.moves == [("m1", 2)]
    assert server.login == {"m1": False, "m2": True}


def test_a_leader_that_cannot_renew_kills_its_scheduler_before_another_is_active(pair, clock):
    first, second = activated(pair, clock)
    first.line.fault = "lost"
    run(clock, pair, 120, until=lambda: not first.active)
    assert not second.active
    run(clock, pair, 120, until=lambda: second.active)
    assert first.child.pid == 0
    assert first.alarms[-1] <= lease.TTL - lease.MARGIN + 1


def test_a_commit_that_hangs_is_no_renewal(pair, clock):
    first, _second = activated(pair, clock)
    first.line.fault = "unanswered"
    begun = clock.now
    run(clock, pair, 120, until=lambda: not first.active)
    assert clock.now - begun <= lease.TTL - lease.MARGIN + lease.CALL_TIMEOUT + 1


def test_a_frozen_host_kills_its_scheduler_first_when_it_goes_on(pair, clock, server):
    first, second = activated(pair, clock)
    run(clock, [second], 90)
    assert second.active
    with pytest.raises(SystemExit):
        first.agent.step()
    assert first.child.pid == 0
    assert server.leader == "m2"


def test_only_confirmed_renewals_notify_the_watchdog(pair, clock):
    first, _second = activated(pair, clock)
    first.notified.clear()
    first.line.fault = "lost"
    run(clock, [first], 9)
    assert first.notified == []
    first.line.fault = ""
    run(clock, [first], 2)
    assert first.notified == ["WATCHDOG=1"]


def test_the_agent_says_whether_its_host_is_healthy(pair, clock):
    """For airflow-health: with a process it checks that, else it reads this state."""
    first, second = pair
    assert second.agent.status()["unhealthy"] == "standby, no scheduler is active"
    activated(pair, clock)
    found = first.agent.status()
    assert (found["pid"], found["summary"], found["unhealthy"], found["unknown"]) == (1, "epoch 1", "", "")
    found = second.agent.status()
    assert (found["pid"], found["summary"], found["unhealthy"], found["unknown"]) == (
        0,
        "standby, m1 is the leader",
        "",
        "",
    )
    first.agent.ending = True
    first.agent.step()
    assert first.agent.status()["unhealthy"] == "stopping, no scheduler is active"
    # Its child did not start.
    first.agent.state, first.child.pid = lease.ACTIVE, 0
    assert first.agent.status()["unhealthy"] == "the scheduler did not start"


def test_a_standby_is_not_killed_when_the_metastore_is_unavailable(pair, clock):
    pair[0].line.fault = "lost"
    run(clock, pair[:1], 30)
    assert pair[0].notified.count("WATCHDOG=1") > 3
    found = pair[0].agent.status()
    assert (found["unhealthy"], found["unknown"]) == ("", "no answer within 4 s")


def test_a_scheduler_that_dies_starts_again_with_a_later_epoch(pair, clock, server):
    first, second = activated(pair, clock)
    server.connect("m1", 1)
    first.child.code = -9
    took = run(clock, pair, 60, until=lambda: first.child.starts == 2)
    assert took < 6
    assert (server.epoch, server.sessions, second.active) == (2, {}, False)
    assert first.moves == []


def test_a_scheduler_that_fails_again_and_again_is_started_on_another_host(pair, clock):
    first, second = activated(pair, clock)

    def fail():
        if first.active:
            first.child.code = 1
        return second.active

    run(clock, pair, 120, until=fail)
    assert second.active
    assert first.child.starts == lease.FAILURES


def test_a_switchover_goes_to_the_requested_host_and_the_lease_is_renewed_meanwhile(pair, clock, server):
    first, second = activated(pair, clock)
    server.request_switchover("m2")
    run(clock, pair, 10, until=lambda: first.child.asked)
    first.notified.clear()
    # The scheduler takes its time.
    run(clock, pair, 40)
    assert len(first.notified) >= 7
    assert server.leader == "m1"
    first.child.code = 0
    took = run(clock, pair, 60, until=lambda: second.active)
    assert took <= lease.POLL_INTERVAL + lease.FENCE_PERIOD + 2
    assert server.requested_host is None
    assert second.moves == [("m1", 2)]


def test_a_scheduler_that_does_not_end_is_killed(pair, clock, server):
    first, second = activated(pair, clock)
    server.request_switchover("m2")
    run(clock, pair, lease.STOP_TIMEOUT + 20, until=lambda: second.active)
    assert second.active
    assert first.child.pid == 0


def test_a_request_for_a_lost_host_is_ignored(pair, clock, server):
    first, second = activated(pair, clock)
    server.request_switchover("m2")
    run(clock, [], Server.LIVENESS_WINDOW + 1)
    run(clock, [first], 60)
    assert first.active
    assert first.child.asked == 0
    with pytest.raises(lease.RefusedError, match="not live"):
        server.request_switchover("m2")
    # Also when the host comes back after the request has timed out.
    run(clock, [first], Server.REQUEST_TIMEOUT)
    second.boot()
    run(clock, pair, 30)
    assert first.child.asked == 0
    run(clock, [], Server.LIVENESS_WINDOW + 1)
    # Also when the leader is lost, too.
    first.boot()
    run(clock, [first], 60, until=lambda: first.active)
    assert first.active
    assert not second.active


def test_a_leader_that_is_stopped_releases_the_lease(pair, clock, server):
    first, second = activated(pair, clock)
    first.agent.ending = True
    run(clock, pair, 10, until=lambda: first.child.asked)
    first.child.code = 0
    took = run(clock, pair, 60, until=lambda: second.active)
    assert first.agent.done
    assert took <= lease.POLL_INTERVAL + lease.FENCE_PERIOD + 2
    assert server.login == {"m1": False, "m2": True}


def test_a_leader_that_is_stopped_when_its_scheduler_just_died_releases_the_lease(pair, clock):
    first, second = activated(pair, clock)
    # As when the kernel killed the scheduler for its memory, and systemd then stops what is left of the service.
    first.child.code, first.agent.ending = -9, True
    took = run(clock, pair, 60, until=lambda: second.active)
    assert first.agent.done
    assert took <= lease.POLL_INTERVAL + lease.FENCE_PERIOD + 2


def test_a_leader_that_is_stopped_between_two_schedulers_releases_the_lease(pair, clock, server):
    first, _second = activated(pair, clock)
    first.child.code = 1
    first.agent.step()
    assert (first.agent.state, server.leader) == (lease.STANDBY, "m1")
    first.agent.ending = True
    first.agent.step()
    assert (first.agent.done, server.leader) == (True, None)


def test_a_scheduler_that_cannot_be_started_counts_as_one_that_failed(pair, clock, monkeypatch):
    first, second = pair

    def start():
        first.child.starts += 1
        first.child.code = 0
        raise OSError("no room")

    monkeypatch.setattr(first.child, "start", start)
    run(clock, [first], 10)
    run(clock, pair, 120, until=lambda: second.active)
    assert second.active
    assert first.child.starts == lease.FAILURES


def test_a_leader_without_a_scheduler_gives_way_to_the_requested_host(pair, clock, server):
    first, second = activated(pair, clock)
    server.request_switchover("m2")
    first.child.code = 1
    took = run(clock, pair, 60, until=lambda: second.active)
    assert took <= lease.POLL_INTERVAL + lease.FENCE_PERIOD + 4
    assert server.login == {"m1": False, "m2": True}


def test_no_login_is_granted_while_a_scheduler_has_a_session(pair, clock, server):
    first, _second = pair
    run(clock, [first], 10, until=lambda: first.agent.state == lease.FENCING)
    server.sessions = {1: ("m2", 0, True)}
    with pytest.raises(lease.RefusedError, match="has to be fenced first"):
        server.activate("m1", server.epoch)
    run(clock, [first], 20, until=lambda: first.active)
    assert (first.active, server.sessions) == (True, {})


def test_a_clock_that_is_put_back_ends_an_epoch_at_worst(pair, clock, server):
    first, second = activated(pair, clock)
    server.renewed_at += 3600
    assert not server.valid()
    run(clock, [second], 20, until=lambda: second.active)
    assert (second.active, server.epoch) == (True, 2)
    with pytest.raises(SystemExit):
        for _ in range(100):
            first.agent.step()
            clock.now += 0.5


def test_an_agent_that_is_stopped_while_the_metastore_is_unavailable_ends_all_the_same(pair, clock):
    first, _second = activated(pair, clock)
    first.line.fault = "lost"
    first.agent.ending = True
    with pytest.raises(SystemExit) as ended:
        for _ in range(100):
            first.agent.step()
            clock.now += 0.5
    assert ended.value.code == 0
    assert first.child.pid == 0


def test_a_host_that_was_not_deployed_may_not_hold_the_lease(clock, server):
    unknown = Host("m3", server)
    run(clock, [unknown], 60)
    assert "deploy" in unknown.agent.status()["unhealthy"]


# Anything that can happen to two hosts, as often and in the order that hypothesis likes. A host that does not go on is
# frozen.
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["go", "go", "connect", "commit", "commit", "starting", "admitted", "fault", "die", "crash", "request"]
        ),
        st.integers(0, 1),
        st.sampled_from([1, 2, 3, 4, 5, 10, 40]),
    ),
    min_size=6,
    max_size=30,
)


def happen(clock, server, hosts, what, which, number):
    """One event."""
    host = hosts[which]
    mine = [
        pid
        for pid, (name, _epoch, admitted) in server.sessions.items()
        if name == host.name and admitted == (what == "commit")
    ]
    if what == "go":
        run(clock, [host], number)
    elif what == "fault":
        host.line.fault = ["", "lost", "unanswered"][number % 3]
    elif what in ("connect", "starting") and host.child.code is None:
        server.connect(host.name, host.agent.epoch, admitted=what == "connect")
    elif what == "admitted" and mine:
        server.sessions[mine[0]] = (*server.sessions[mine[0]][:2], True)
    elif what == "commit" and mine:
        # Also of a process that is gone: the session does not know it yet.
        server.commit(mine[number % len(mine)])
    elif what == "die" and host.child.code is None:
        host.child.code = 1
    elif what == "crash":
        host.boot()
    elif what == "request" and server.live(host.name):
        server.request_switchover(host.name)


def cluster():
    clock = Time()
    server = Server(clock, ["m1", "m2"])
    return clock, server, (Host("m1", server), Host("m2", server))


REPLACED = [("go", 1, 40), ("connect", 1, 1), ("commit", 1, 1)]


@settings(max_examples=200)
@given(EVENTS)
# A session of a replaced host commits late, and one that was being admitted when it was replaced.
@example([*REPLACED, ("commit", 0, 1)])
@example([*REPLACED, ("admitted", 0, 1), ("commit", 0, 1)])
def test_commits_come_in_the_order_of_epochs_whatever_happens(events):
    clock, server, hosts = cluster()
    # The events may be anything; the sessions that could commit late are always there.
    for event in [("go", 0, 10), ("connect", 0, 1), ("starting", 0, 1), *events]:
        happen(clock, server, hosts, *event)
        assert sum(server.login.values()) <= 1
    assert server.commits == sorted(server.commits)


@settings(max_examples=50)
@given(EVENTS)
def test_the_leader_is_active_once_all_faults_are_over(events):
    clock, server, hosts = cluster()
    for event in events:
        happen(clock, server, hosts, *event)
    for host in hosts:
        host.line.fault = ""
    run(clock, hosts, 120, until=lambda: [host.name for host in hosts if host.active] == [server.leader])
    assert [host.name for host in hosts if host.active] == [server.leader]


# The command.


def ask(server, *arguments, host="m1"):
    given = argparse.Namespace(command=arguments[0], host=(*arguments, "")[1], wait=0.1)
    given.yes, given.here = "--yes" in arguments, "--here" in arguments
    mail = {"to": [], "from": "airflow@example.org", "host": "127.0.0.1", "port": 25, "starttls": False, "user": ""}
    return lease.answer(
        {"host": host, "cluster": "airflow", "email": mail, "email_password": "", "webhook_url": ""},
        Line(server),
        given,
    )


def test_exit_codes_are_those_of_monitoring_systems(pair, clock, server):
    assert ask(server, "status")[0] == lease.CRITICAL
    first, second = activated(pair, clock)
    assert ask(server, "status")[0] == lease.OK
    assert ask(server, "status")[2] == [
        "m1 is active, m2 is standby (epoch 1)",
        "m1: active, 4 s ago, can log in",
        "m2: standby, 1 s ago",
    ]
    assert [ask(server, "is_scheduler_running", "--here", host=host)[0] for host in ("m1", "m2")] == [
        lease.OK,
        lease.CRITICAL,
    ]
    run(clock, [first], 20)
    assert ask(server, "status")[:1] == (lease.WARNING,)
    assert ask(server, "test_connection")[0] == lease.WARNING
    # Its lease has not expired.
    clock.now += 20
    assert ask(server, "status")[::2] == (
        lease.WARNING,
        [
            "m1 is the leader and not live (epoch 1)",
            *ask(server, "status")[2][1:],
        ],
    )
    assert ask(server, "is_scheduler_running", "--here")[0] == lease.CRITICAL
    clock.now += 40
    assert ask(server, "status")[0] == lease.CRITICAL
    assert ask(server, "is_scheduler_running")[0] == lease.CRITICAL
    run(clock, [second], 20)
    assert ask(server, "is_scheduler_running")[:1] == (lease.OK,)
    assert ask(server, "is_scheduler_running")[1]["running"] == {"m1": False, "m2": True}


def test_metadata_of_a_valid_lease_are_not_cleared(pair, clock, server):
    activated(pair, clock)
    assert ask(server, "clear_metadata")[0] == lease.CRITICAL
    assert "is valid" in ask(server, "clear_metadata", "--yes")[2][0]
    clock.now += 60
    assert ask(server, "clear_metadata", "--yes")[0] == lease.OK
    assert (server.leader, server.epoch, server.login["m1"]) == (None, 1, False)


def test_init_checks_whether_a_host_may_hold_the_lease(server):
    assert ask(server, "init")[0] == lease.OK
    assert ask(server, "init", host="m3")[0] == lease.CRITICAL
    assert ask(server, "get_current_host")[2] == ["m1"]
    assert ask(server, "metadata")[1]["epoch"] == 0


def test_a_switchover_to_a_host_that_is_not_live_is_refused(pair, clock, server):
    activated(pair, clock)
    assert ask(server, "switchover", "m1")[0] == lease.OK
    assert ask(server, "switchover", "m3")[0] == lease.CRITICAL
    assert server.requested_host is None
    assert "is not active" in ask(server, "switchover", "m2")[2][0]
    assert server.requested_host == "m2"
    # One that was active, and is lost.
    clock.now += 60
    assert "not live" in ask(server, "switchover", "m1")[2][0]


def test_an_unknown_command_is_unknown_to_monitoring(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["flightdeck-scheduler-lease", "statsu"])
    with pytest.raises(SystemExit) as ended:
        lease.main()
    assert ended.value.code == lease.UNKNOWN


def test_without_its_secrets_it_answers_in_the_form_that_was_asked_for(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(lease, "SECRETS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["flightdeck-scheduler-lease", "--json", "status"])
    assert lease.main() == lease.UNKNOWN
    assert json.loads(capsys.readouterr().out)["status"] == "unknown"


def test_a_test_email_needs_recipients(server):
    assert "airflow_failover_email_to is empty" in ask(server, "send_test_email")[2]


def test_alerts_are_sent_by_email_and_webhook(monkeypatch):
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments):
            pass

    sent = []
    monkeypatch.setattr(lease, "send_email", lambda _settings, subject, text: sent.append((subject, text)))
    with HTTPServer(("127.0.0.1", 0), Handler) as receiver:
        threading.Thread(target=receiver.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{receiver.server_port}/hook"
        lease.alert({"cluster": "prod", "host": "m2", "email": {"to": ["a@example.org"]}, "webhook_url": url}, "m1", 7)
    assert sent[0][0] == "Airflow prod: the scheduler of m2 is active"
    assert got[0] == {
        "event": "scheduler_moved",
        "cluster": "prod",
        "from": "m1",
        "to": "m2",
        "epoch": 7,
        "text": sent[0][0],
    }


def test_the_webhook_is_sent_when_the_email_fails(monkeypatch, capsys):
    opened = []

    def fail(*_arguments):
        raise RuntimeError("hunter2")

    monkeypatch.setattr(lease, "send_email", fail)
    monkeypatch.setattr(lease, "Post", lambda url, _event: opened.append(url) or fail())
    lease.alert(
        {"cluster": "prod", "host": "m2", "email": {"to": ["a@example.org"]}, "webhook_url": "http://x/"}, "m1", 7
    )
    assert opened == ["http://x/"]
    said = capsys.readouterr().err
    assert said.count("RuntimeError") == 2
    assert "hunter2" not in said


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/secret", "http://user:secret@127.0.0.1/"])
def test_a_webhook_that_fails_is_not_shown(capsys, url):
    lease.alert({"cluster": "prod", "host": "m2", "email": {"to": []}, "webhook_url": url}, "m1", 7)
    said = capsys.readouterr().err
    assert "was not sent" in said
    assert "secret" not in said


def test_the_agent_does_not_run_outside_of_its_unit(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert lease.start({}, None) == lease.UNKNOWN


def test_systemd_is_notified(monkeypatch, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        lease.notify("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_the_kernel_kills_an_agent_that_hangs():
    """Whatever it hangs in: no code of Python's has to run for it."""
    source = (
        "import importlib.util, sys, time\n"
        "spec = importlib.util.spec_from_file_location('lease', sys.argv[1])\n"
        "lease = importlib.util.module_from_spec(spec); spec.loader.exec_module(lease)\n"
        "lease.set_alarm(0.2); time.sleep(600)\n"
    )
    done = subprocess.run([sys.executable, "-c", source, str(PATH)], timeout=300, check=False)
    assert done.returncode == -14


def test_only_members_of_its_own_group_are_its_schedulers_processes():
    """Without a kill: this process and its siblings share a group here."""
    scheduler = lease.Scheduler(["true"])
    with subprocess.Popen(["sleep", "30"]) as process:
        assert process.pid in scheduler._others()
        process.kill()
    assert process.pid not in scheduler._others()
    assert scheduler._group(1) != "" or scheduler._group("self") != ""
