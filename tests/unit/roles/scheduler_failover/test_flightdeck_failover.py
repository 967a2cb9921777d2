"""The agent against a metastore in memory that does what the functions in the real one do, by a clock that the tests turn."""

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

ROOT = Path(__file__).parents[4]
PATH = ROOT / "roles/scheduler_failover/files/flightdeck_failover.py"
SPEC = importlib.util.spec_from_file_location("flightdeck_failover", PATH)
failover = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(failover)
SQL = (ROOT / "roles/metastore/files/scheduler_lease.sql").read_text()


class Time:
    """A clock."""

    now = 1000.0

    def __call__(self):
        return self.now


class Server:
    """What scheduler_lease.sql does, and the sessions of schedulers. Sessions are pid to (host, epoch of the process, admitted)."""

    TTL, PRESENCE, PATIENCE = 30, 15, 120

    def __init__(self, clock, hosts):
        self.clock = clock
        self.epoch, self.holder, self.renewed_at, self.wished = 0, None, 0.0, None
        self.wished_at = 0.0
        self.acted = None
        self.seen_at = dict.fromkeys(hosts)
        self.doing = dict.fromkeys(hosts, "")
        self.login = dict.fromkeys(hosts, False)
        self.sessions, self.pids = {}, 0
        self.commits = []

    def lives(self):
        return self.holder is not None and abs(self.clock() - self.renewed_at) <= self.TTL

    def there(self, host):
        return self.seen_at.get(host) is not None and abs(self.clock() - self.seen_at[host]) <= self.PRESENCE

    def wanted(self):
        return self.wished if self.there(self.wished) and abs(self.clock() - self.wished_at) <= self.PATIENCE else None

    def note(self, me, doing):
        if me not in self.seen_at:
            raise failover.RefusedError(f"host {me} may have no turn: deploy the whole cluster")
        self.seen_at[me], self.doing[me] = self.clock(), doing

    def held(self, me, epoch):
        if (self.holder, self.epoch) != (me, epoch):
            raise failover.RefusedError(f"it is not the turn {epoch} of {me} any more")
        self.renewed_at = self.clock()

    def bar(self):
        self.login = dict.fromkeys(self.login, False)

    def acquire(self, me, doing):
        self.note(me, doing)
        before = self.holder
        others = before is not None and before != me and self.lives()
        if others or self.wanted() not in (None, me):
            if before == me:
                self.bar()
                self.holder = None
            return {"epoch": None, "holder": self.holder}
        self.epoch, self.holder, self.renewed_at, self.wished = self.epoch + 1, me, self.clock(), None
        self.bar()
        return {"epoch": self.epoch, "holder": before}

    def fence(self, me, epoch, stubborn):
        self.held(me, epoch)
        self.note(me, "fences")
        starting = [pid for pid, (_host, _epoch, admitted) in self.sessions.items() if not admitted]
        sessions = [pid for pid in self.sessions if pid not in starting]
        for pid in [*sessions, *(pid for pid in starting if pid in stubborn)]:
            del self.sessions[pid]
        return {"sessions": sessions, "starting": starting}

    def admit(self, me, epoch):
        self.held(me, epoch)
        self.note(me, "acts")
        if any(admitted for _host, _epoch, admitted in self.sessions.values()):
            raise failover.RefusedError("a scheduler has a session: it has to be fenced first")
        self.login[me] = True
        before, self.acted = self.acted, me
        self.wished = None if self.wished == me else self.wished
        return {"before": before}

    def renew(self, me, epoch, doing):
        self.held(me, epoch)
        self.note(me, doing)
        self.sessions = {pid: session for pid, session in self.sessions.items() if session[0] == me or not session[2]}
        return {"wished": None if self.wanted() == me else self.wanted()}

    def release(self, me, epoch):
        self.held(me, epoch)
        self.bar()
        self.holder = None
        return {}

    def wish(self, host):
        if not self.there(host):
            raise failover.RefusedError(f"host {host} is unknown or was not heard of lately")
        self.wished, self.wished_at = host, self.clock()
        return {}

    def clear(self):
        if self.lives():
            raise failover.RefusedError(f"it is the turn of {self.holder}, who lives")
        self.holder = self.wished = None
        self.bar()
        return {}

    def look(self):
        nodes = [
            {
                "host": host,
                "login": f"airflow_sched_{host}",
                "may_log_in": self.login[host],
                "doing": self.doing[host],
                "seen_seconds": None if seen is None else self.clock() - seen,
                "there": self.there(host),
            }
            for host, seen in sorted(self.seen_at.items())
        ]
        lease = {"epoch": self.epoch, "holder": self.holder, "wished": self.wanted(), "lives": self.lives()}
        return {**lease, "renewed_seconds": self.clock() - self.renewed_at, "nodes": nodes}

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
            self.server.clock.now += failover.CALL
            raise failover.UnreachableError("no answer within 4 s")
        answer = getattr(self.server, function)(*arguments)
        if self.fault == "unanswered":
            self.server.clock.now += failover.CALL
            raise failover.UnreachableError("the commit hangs")
        return answer


class Child:
    """A scheduler that ends when it is told to."""

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
        self.told, self.moves, self.alarms = [], [], []
        self.boot()

    def boot(self):
        """systemd starts the agent, with nothing left of an earlier one."""
        self.child.kill()
        self.agent = failover.Agent(
            self.name,
            self.line,
            self.child,
            notify=self.told.append,
            moved=lambda before, epoch: self.moves.append((before, epoch)),
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
    def acts(self):
        return self.agent.state == failover.ACTS and self.child.code is None


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


def acting(pair, clock):
    """The first of them acts, the second stands by."""
    run(clock, pair[:1], 10, until=lambda: pair[0].acts)
    assert pair[0].acts
    run(clock, pair, 4)
    assert not pair[1].acts
    return pair


def test_program_and_metastore_know_the_same_turn():
    assert f"interval '{failover.TTL} seconds'" in SQL
    assert re.search(rf"presence\(\) RETURNS interval.*?interval '{Server.PRESENCE} seconds'", SQL, re.DOTALL)
    assert re.search(rf"patience\(\) RETURNS interval.*?interval '{Server.PATIENCE} seconds'", SQL, re.DOTALL)
    assert Server.TTL == failover.TTL
    # Who waits is heard of often enough to count as there, also when a call fails.
    assert 3 * failover.POLL + failover.CALL < Server.PRESENCE
    # The scheduler is dead, also by the kernel's hand, before the turn is over; and there were several attempts to renew it.
    assert failover.TTL - failover.MARGIN + 1 < failover.TTL
    assert failover.TTL - failover.MARGIN >= failover.RENEW + 3 * failover.CALL
    assert {f"'{doing}'" for doing in (failover.FENCES, failover.ACTS)} <= set(re.findall(r"note\(me, ('\w+')\)", SQL))
    called = set(re.findall(r'call\("(\w+)"', PATH.read_text()))
    granted = re.search(r"GRANT EXECUTE ON FUNCTION(.*?)TO airflow_lease", SQL, re.DOTALL)[1]
    assert called == set(re.findall(r"scheduler_lease\.(\w+)", granted))
    definers = re.findall(r"FUNCTION scheduler_lease\.(\w+)\([^;]*?SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS", SQL)
    assert called == set(definers)


def test_the_version_is_that_of_the_collection():
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"] == failover.VERSION


def test_one_acts_and_the_other_stands_by(pair, clock, server):
    first, second = acting(pair, clock)
    run(clock, pair, 600)
    assert (first.acts, second.acts, server.epoch) == (True, False, 1)
    assert server.login == {"m1": True, "m2": False}
    assert first.moves == []
    assert second.agent.status()["holder"] == "m1"


def test_the_scheduler_starts_once_no_session_was_seen_for_two_seconds(pair, clock, server):
    server.sessions = {7: ("m2", 0, True), 8: ("m9", 0, True)}
    server.pids = 8
    begun = clock.now
    run(clock, pair[:1], 20, until=lambda: pair[0].acts)
    assert clock.now - begun >= failover.FENCE
    assert server.sessions == {}


def test_a_session_that_is_being_admitted_is_waited_for_and_ended(pair, clock, server):
    server.sessions = {7: ("m2", 0, False)}
    server.pids = 7
    run(clock, pair[:1], failover.FENCE, until=lambda: pair[0].acts)
    assert not pair[0].acts
    # One that began later has seen that it may not log in.
    server.sessions[8] = ("m2", 0, False)
    run(clock, pair[:1], 10, until=lambda: pair[0].acts)
    assert pair[0].acts
    assert 7 not in server.sessions
    assert 8 in server.sessions


def test_a_lost_host_is_replaced_when_its_turn_has_run_out(pair, clock, server):
    _first, second = acting(pair, clock)
    took = run(clock, [second], 120, until=lambda: second.acts)
    assert took <= failover.TTL + failover.POLL + failover.FENCE + 2
    assert second.moves == [("m1", 2)]
    assert server.login == {"m1": False, "m2": True}


def test_who_cannot_renew_has_killed_its_scheduler_before_another_acts(pair, clock):
    first, second = acting(pair, clock)
    first.line.fault = "lost"
    run(clock, pair, 120, until=lambda: not first.acts)
    assert not second.acts
    run(clock, pair, 120, until=lambda: second.acts)
    assert first.child.pid == 0
    assert first.alarms[-1] <= failover.TTL - failover.MARGIN + 1


def test_a_commit_that_hangs_is_no_renewal(pair, clock):
    first, _second = acting(pair, clock)
    first.line.fault = "unanswered"
    begun = clock.now
    run(clock, pair, 120, until=lambda: not first.acts)
    assert clock.now - begun <= failover.TTL - failover.MARGIN + failover.CALL + 1


def test_a_frozen_host_kills_its_scheduler_first_when_it_goes_on(pair, clock, server):
    first, second = acting(pair, clock)
    run(clock, [second], 90)
    assert second.acts
    with pytest.raises(SystemExit):
        first.agent.step()
    assert first.child.pid == 0
    assert server.holder == "m2"


def test_the_watchdog_hears_of_confirmed_renewals_only(pair, clock):
    first, _second = acting(pair, clock)
    first.told.clear()
    first.line.fault = "lost"
    run(clock, [first], 9)
    assert first.told == []
    first.line.fault = ""
    run(clock, [first], 2)
    assert first.told == ["WATCHDOG=1"]


def test_who_stands_by_is_not_killed_for_a_metastore_that_is_away(pair, clock):
    pair[0].line.fault = "lost"
    run(clock, pair[:1], 30)
    assert pair[0].told.count("WATCHDOG=1") > 3
    assert pair[0].agent.status() | {"refused": False} == pair[0].agent.status()


def test_a_scheduler_that_dies_starts_again_with_a_later_turn(pair, clock, server):
    first, second = acting(pair, clock)
    server.connect("m1", 1)
    first.child.code = -9
    took = run(clock, pair, 60, until=lambda: first.child.starts == 2)
    assert took < 6
    assert (server.epoch, server.sessions, second.acts) == (2, {}, False)
    assert first.moves == []


def test_a_scheduler_that_fails_again_and_again_is_tried_elsewhere(pair, clock):
    first, second = acting(pair, clock)

    def fail():
        if first.acts:
            first.child.code = 1
        return second.acts

    run(clock, pair, 120, until=fail)
    assert second.acts
    assert first.child.starts == failover.FAILURES


def test_a_handover_goes_to_who_is_wished_for_and_keeps_the_watchdog_content(pair, clock, server):
    first, second = acting(pair, clock)
    server.wish("m2")
    run(clock, pair, 10, until=lambda: first.child.asked)
    first.told.clear()
    # The scheduler takes its time.
    run(clock, pair, 40)
    assert len(first.told) >= 7
    assert server.holder == "m1"
    first.child.code = 0
    took = run(clock, pair, 60, until=lambda: second.acts)
    assert took <= failover.POLL + failover.FENCE + 2
    assert server.wished is None
    assert second.moves == [("m1", 2)]


def test_a_scheduler_that_does_not_end_is_killed(pair, clock, server):
    first, second = acting(pair, clock)
    server.wish("m2")
    run(clock, pair, failover.STOP + 20, until=lambda: second.acts)
    assert second.acts
    assert first.child.pid == 0


def test_a_wish_for_a_host_that_is_gone_holds_nobody_up(pair, clock, server):
    first, second = acting(pair, clock)
    server.wish("m2")
    run(clock, [], Server.PRESENCE + 1)
    run(clock, [first], 60)
    assert first.acts
    assert first.child.asked == 0
    with pytest.raises(failover.RefusedError, match="not heard of"):
        server.wish("m2")
    # Nor does it, when it comes back after nobody waits for that any more.
    run(clock, [first], Server.PATIENCE)
    second.boot()
    run(clock, pair, 30)
    assert first.child.asked == 0
    run(clock, [], Server.PRESENCE + 1)
    # Nor when the one that has the turn goes, too.
    first.boot()
    run(clock, [first], 60, until=lambda: first.acts)
    assert first.acts
    assert not second.acts


def test_who_is_stopped_gives_the_turn_back(pair, clock, server):
    first, second = acting(pair, clock)
    first.agent.ending = True
    run(clock, pair, 10, until=lambda: first.child.asked)
    first.child.code = 0
    took = run(clock, pair, 60, until=lambda: second.acts)
    assert first.agent.done
    assert took <= failover.POLL + failover.FENCE + 2
    assert server.login == {"m1": False, "m2": True}


def test_who_is_stopped_when_its_scheduler_just_died_gives_the_turn_back(pair, clock):
    first, second = acting(pair, clock)
    # As when the kernel killed the scheduler for its memory, and systemd then stops what is left of the service.
    first.child.code, first.agent.ending = -9, True
    took = run(clock, pair, 60, until=lambda: second.acts)
    assert first.agent.done
    assert took <= failover.POLL + failover.FENCE + 2


def test_who_is_stopped_between_two_schedulers_gives_the_turn_back(pair, clock, server):
    first, _second = acting(pair, clock)
    first.child.code = 1
    first.agent.step()
    assert (first.agent.state, server.holder) == (failover.STANDS_BY, "m1")
    first.agent.ending = True
    first.agent.step()
    assert (first.agent.done, server.holder) == (True, None)


def test_a_scheduler_that_cannot_be_started_counts_as_one_that_failed(pair, clock, monkeypatch):
    first, second = pair

    def start():
        first.child.starts += 1
        first.child.code = 0
        raise OSError("no room")

    monkeypatch.setattr(first.child, "start", start)
    run(clock, [first], 10)
    run(clock, pair, 120, until=lambda: second.acts)
    assert second.acts
    assert first.child.starts == failover.FAILURES


def test_who_has_the_turn_and_no_scheduler_makes_room_for_who_is_wished_for(pair, clock, server):
    first, second = acting(pair, clock)
    server.wish("m2")
    first.child.code = 1
    took = run(clock, pair, 60, until=lambda: second.acts)
    assert took <= failover.POLL + failover.FENCE + 4
    assert server.login == {"m1": False, "m2": True}


def test_nobody_is_admitted_while_a_scheduler_has_a_session(pair, clock, server):
    first, _second = pair
    run(clock, [first], 10, until=lambda: first.agent.state == failover.FENCES)
    server.sessions = {1: ("m2", 0, True)}
    with pytest.raises(failover.RefusedError, match="has to be fenced first"):
        server.admit("m1", server.epoch)
    run(clock, [first], 20, until=lambda: first.acts)
    assert (first.acts, server.sessions) == (True, {})


def test_a_clock_that_is_put_back_ends_a_turn_at_worst(pair, clock, server):
    first, second = acting(pair, clock)
    server.renewed_at += 3600
    assert not server.lives()
    run(clock, [second], 20, until=lambda: second.acts)
    assert (second.acts, server.epoch) == (True, 2)
    with pytest.raises(SystemExit):
        for _ in range(100):
            first.agent.step()
            clock.now += 0.5


def test_who_is_stopped_while_the_metastore_is_away_ends_all_the_same(pair, clock):
    first, _second = acting(pair, clock)
    first.line.fault = "lost"
    first.agent.ending = True
    with pytest.raises(SystemExit) as ended:
        for _ in range(100):
            first.agent.step()
            clock.now += 0.5
    assert ended.value.code == 0
    assert first.child.pid == 0


def test_a_host_that_nobody_deployed_may_have_no_turn(clock, server):
    stranger = Host("m3", server)
    run(clock, [stranger], 60)
    assert stranger.agent.status()["refused"]
    assert "deploy" in stranger.agent.status()["trouble"]


# Anything that can happen to two hosts, as often and in the order that hypothesis likes. A host that does not go on is frozen.
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["go", "go", "connect", "commit", "commit", "starting", "admitted", "fault", "die", "crash", "wish"]),
        st.integers(0, 1),
        st.sampled_from([1, 2, 3, 4, 5, 10, 40]),
    ),
    min_size=6,
    max_size=30,
)


def happen(clock, server, hosts, what, which, number):
    """One event."""
    host = hosts[which]
    mine = [pid for pid, (name, _epoch, admitted) in server.sessions.items() if name == host.name and admitted == (what == "commit")]
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
    elif what == "wish" and server.there(host.name):
        server.wish(host.name)


def cluster():
    clock = Time()
    server = Server(clock, ["m1", "m2"])
    return clock, server, (Host("m1", server), Host("m2", server))


REPLACED = [("go", 1, 40), ("connect", 1, 1), ("commit", 1, 1)]


@settings(max_examples=200, deadline=None)
@given(EVENTS)
# A session of who was replaced commits late, and one that was being admitted when it was.
@example([*REPLACED, ("commit", 0, 1)])
@example([*REPLACED, ("admitted", 0, 1), ("commit", 0, 1)])
def test_commits_come_in_the_order_of_turns_whatever_happens(events):
    clock, server, hosts = cluster()
    # What comes may be anything; that there is something to do wrong is no accident.
    for event in [("go", 0, 10), ("connect", 0, 1), ("starting", 0, 1), *events]:
        happen(clock, server, hosts, *event)
        assert sum(server.login.values()) <= 1
    assert server.commits == sorted(server.commits)


@settings(max_examples=50, deadline=None)
@given(EVENTS)
def test_somebody_acts_once_all_is_well_again(events):
    clock, server, hosts = cluster()
    for event in events:
        happen(clock, server, hosts, *event)
    for host in hosts:
        host.line.fault = ""
    run(clock, hosts, 120, until=lambda: [host.name for host in hosts if host.acts] == [server.holder])
    assert [host.name for host in hosts if host.acts] == [server.holder]


# The command.


def ask(server, *arguments, host="m1"):
    given = argparse.Namespace(command=arguments[0], host=(*arguments, "")[1], wait=0.1)
    given.yes, given.here = "--yes" in arguments, "--here" in arguments
    mail = {"to": [], "from": "airflow@example.org", "host": "127.0.0.1", "port": 25, "starttls": False, "user": "", "password": ""}
    return failover.answer({"host": host, "cluster": "airflow", "email": mail, "webhook_url": ""}, Line(server), given)


def test_the_state_is_told_by_exit_codes_that_monitoring_knows(pair, clock, server):
    assert ask(server, "status")[0] == failover.CRITICAL
    first, second = acting(pair, clock)
    assert ask(server, "status")[0] == failover.OK
    assert ask(server, "status")[2] == [
        "m1 acts, m2 stands by (turn 1)",
        "m1: acts, 4 s ago, may log in",
        "m2: stands by, 1 s ago",
    ]
    assert [ask(server, "is_scheduler_running", "--here", host=host)[0] for host in ("m1", "m2")] == [failover.OK, failover.CRITICAL]
    run(clock, [first], 20)
    assert ask(server, "status")[:1] == (failover.WARNING,)
    assert ask(server, "test_connection")[0] == failover.WARNING
    # Its turn has not run out.
    clock.now += 20
    assert ask(server, "status")[::2] == (
        failover.WARNING,
        [
            "m1 has the turn and was not heard of lately (turn 1)",
            *ask(server, "status")[2][1:],
        ],
    )
    assert ask(server, "is_scheduler_running", "--here")[0] == failover.CRITICAL
    clock.now += 40
    assert ask(server, "status")[0] == failover.CRITICAL
    assert ask(server, "is_scheduler_running")[0] == failover.CRITICAL
    run(clock, [second], 20)
    assert ask(server, "is_scheduler_running")[:1] == (failover.OK,)
    assert ask(server, "is_scheduler_running")[1]["running"] == {"m1": False, "m2": True}


def test_metadata_are_not_cleared_under_who_acts(pair, clock, server):
    acting(pair, clock)
    assert ask(server, "clear_metadata")[0] == failover.CRITICAL
    assert "who lives" in ask(server, "clear_metadata", "--yes")[2][0]
    clock.now += 60
    assert ask(server, "clear_metadata", "--yes")[0] == failover.OK
    assert (server.holder, server.epoch, server.login["m1"]) == (None, 1, False)


def test_init_says_whether_a_host_may_have_a_turn(server):
    assert ask(server, "init")[0] == failover.OK
    assert ask(server, "init", host="m3")[0] == failover.CRITICAL
    assert ask(server, "get_current_host")[2] == ["m1"]
    assert ask(server, "metadata")[1]["epoch"] == 0


def test_a_switchover_to_a_host_that_is_not_there_is_refused(pair, clock, server):
    acting(pair, clock)
    assert ask(server, "switchover", "m1")[0] == failover.OK
    assert ask(server, "switchover", "m3")[0] == failover.CRITICAL
    assert server.wished is None
    assert "does not act" in ask(server, "switchover", "m2")[2][0]
    assert server.wished == "m2"
    # One that acted, and is gone.
    clock.now += 60
    assert "not heard of" in ask(server, "switchover", "m1")[2][0]


def test_a_typo_is_nothing_that_monitoring_should_shout_about(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["flightdeck-failover", "statsu"])
    with pytest.raises(SystemExit) as ended:
        failover.main()
    assert ended.value.code == failover.UNKNOWN


def test_without_its_secrets_it_says_so_in_the_form_that_was_asked_for(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(failover, "SECRETS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["flightdeck-failover", "--json", "status"])
    assert failover.main() == failover.UNKNOWN
    assert json.loads(capsys.readouterr().out)["status"] == "unknown"


def test_nobody_to_tell_is_said(server):
    assert "airflow_failover_email_to is empty" in ask(server, "send_test_email")[2]


def test_people_and_programs_are_told(monkeypatch):
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments):
            pass

    sent = []
    monkeypatch.setattr(failover, "send_email", lambda _settings, subject, text: sent.append((subject, text)))
    with HTTPServer(("127.0.0.1", 0), Handler) as receiver:
        threading.Thread(target=receiver.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{receiver.server_port}/hook"
        failover.alert({"cluster": "prod", "host": "m2", "email": {"to": ["a@example.org"]}, "webhook_url": url}, "m1", 7)
    assert sent[0][0] == "Airflow prod: the scheduler of m2 acts"
    assert got[0] == {"event": "scheduler_moved", "cluster": "prod", "from": "m1", "to": "m2", "epoch": 7, "text": sent[0][0]}


def test_an_email_that_fails_keeps_no_webhook_back(monkeypatch, capsys):
    opened = []

    def fail(*_arguments):
        raise RuntimeError("hunter2")

    monkeypatch.setattr(failover, "send_email", fail)
    monkeypatch.setattr(failover, "Post", lambda url, _event: opened.append(url) or fail())
    failover.alert({"cluster": "prod", "host": "m2", "email": {"to": ["a@example.org"]}, "webhook_url": "http://x/"}, "m1", 7)
    assert opened == ["http://x/"]
    said = capsys.readouterr().err
    assert said.count("RuntimeError") == 2
    assert "hunter2" not in said


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/secret", "http://user:secret@127.0.0.1/"])
def test_a_webhook_that_fails_is_not_shown(capsys, url):
    failover.alert({"cluster": "prod", "host": "m2", "email": {"to": []}, "webhook_url": url}, "m1", 7)
    said = capsys.readouterr().err
    assert "could not be told" in said
    assert "secret" not in said


def test_the_agent_does_not_run_outside_of_its_unit(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert failover.start({}, None) == failover.UNKNOWN


def test_systemd_is_told(monkeypatch, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        failover.notify("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_the_kernel_kills_an_agent_that_hangs():
    """Whatever it hangs in: no code of Python's has to run for it."""
    source = (
        "import importlib.util, sys, time\n"
        "spec = importlib.util.spec_from_file_location('failover', sys.argv[1])\n"
        "failover = importlib.util.module_from_spec(spec); spec.loader.exec_module(failover)\n"
        "failover.set_alarm(0.2); time.sleep(600)\n"
    )
    done = subprocess.run([sys.executable, "-c", source, str(PATH)], timeout=300, check=False)
    assert done.returncode == -14


def test_only_members_of_its_own_group_are_its_schedulers_processes():
    """Without killing anybody: this process and its siblings share a group here."""
    scheduler = failover.Scheduler(["true"])
    with subprocess.Popen(["sleep", "30"]) as process:
        assert process.pid in scheduler._others()
        process.kill()
    assert process.pid not in scheduler._others()
    assert scheduler._group(1) != "" or scheduler._group("self") != ""
