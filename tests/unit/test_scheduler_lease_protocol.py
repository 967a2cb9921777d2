"""Every order of the steps of two hosts, their schedulers' sessions and a lease that may expire at any moment.

The claim: no commit of an epoch follows a commit of a later one. The design keeps it; each design that leaves one of
its parts out breaks it, which shows that the search can find a violation.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import pytest

HOSTS = (0, 1)
EPOCHS = 4

# States of an agent: idle; leader; asked sessions to end; waits for that and asks no more; found none; its scheduler
# runs.
IDLE, LEADER, ASKED, WAITS, FENCED, ACTIVE = range(6)
# A session: being admitted (it has passed the check of its login), admitted, and asked to end, when its last commit may
# still come.
STARTING, OPEN, ENDING = range(3)


@dataclass(frozen=True)
class Design:
    """Parts of the protocol that may be left out."""

    # Acquiring the lease revokes the logins of all schedulers, in the same transaction.
    revokes: bool = True
    # It asks the sessions of all schedulers to end.
    terminates: bool = True
    # It waits until no session of a scheduler is left.
    waits: bool = True
    # And until none is left that was being admitted.
    waits_for_starting: bool = True
    # Its own sessions of an earlier epoch are among them.
    fences_itself: bool = True
    # The scheduler dies with its agent.
    one_group: bool = True
    # The logins are revoked in a transaction of their own, after the sessions were asked to end.
    revokes_late: bool = False

    @property
    def never_revokes(self):
        return not self.revokes and not self.revokes_late


@dataclass(frozen=True)
class State:
    """All that matters. Sessions are (host, epoch of the process, its state); processes are (host, epoch)."""

    epoch: int = 0
    leader: int = -1
    login: tuple[bool, ...] = (False, False)
    agents: tuple[tuple[int, int], ...] = ((IDLE, 0), (IDLE, 0))
    processes: frozenset[tuple[int, int]] = frozenset()
    sessions: frozenset[tuple[int, int, int]] = frozenset()
    last: int = 0
    violated: bool = False

    def agent(self, host, progress, epoch=None):
        agents = list(self.agents)
        agents[host] = (progress, agents[host][1] if epoch is None else epoch)
        return replace(self, agents=tuple(agents))


def without_logins(state):
    return replace(state, login=(False, False))


def in_the_way(state, host, design):
    """Sessions that keep the scheduler of ``host`` from starting."""
    return [
        session
        for session in state.sessions
        if (session[0] != host or design.fences_itself) and (session[2] != STARTING or design.waits_for_starting)
    ]


def steps(state, design):
    """What may happen next, by name."""
    for host in HOSTS:
        progress, epoch = state.agents[host]
        if progress == IDLE and state.epoch < EPOCHS:
            # Also when another host is the leader: its lease may have expired.
            after = replace(state, epoch=state.epoch + 1, leader=host).agent(host, LEADER, state.epoch + 1)
            yield "acquire", host, without_logins(after) if design.revokes else after
        if progress in (LEADER, ASKED, WAITS, FENCED) and (state.leader, state.epoch) != (host, epoch):
            # Each step checks the leader, with the row locked.
            yield "lost", host, state.agent(host, IDLE)
        elif progress in (LEADER, ASKED, WAITS):
            if design.terminates and progress != WAITS:
                ended = {
                    (h, e, ENDING) if s == OPEN and (h != host or design.fences_itself) else (h, e, s)
                    for h, e, s in state.sessions
                }
                after = replace(state, sessions=frozenset(ended)).agent(host, ASKED)
                if after != state:
                    yield "terminate", host, after
            if design.revokes_late and progress == ASKED:
                yield "revoke", host, without_logins(state).agent(host, WAITS)
            elif (progress != LEADER or not design.terminates) and (
                not design.waits or not in_the_way(state, host, design)
            ):
                yield "fenced", host, state.agent(host, FENCED)
        elif progress == FENCED:
            login = tuple(design.never_revokes or state.login[other] or other == host for other in HOSTS)
            yield (
                "activate",
                host,
                replace(state, login=login, processes=state.processes | {(host, epoch)}).agent(host, ACTIVE),
            )
        if progress != IDLE:
            # The agent dies, or kills its scheduler, at any moment. Its sessions may go on.
            killed = (
                frozenset(process for process in state.processes if process[0] != host)
                if design.one_group
                else state.processes
            )
            yield "die", host, replace(state, processes=killed).agent(host, IDLE)
    yield from of_sessions(state)


def of_sessions(state):
    """Steps of schedulers and their sessions, which do not depend on the agents."""
    for host, epoch in state.processes:
        if state.login[host] and not any(session[:2] == (host, epoch) for session in state.sessions):
            yield "connect", host, replace(state, sessions=state.sessions | {(host, epoch, STARTING)})
    for session in state.sessions:
        host, epoch, progress = session
        others = state.sessions - {session}
        yield "close", host, replace(state, sessions=others)
        if progress == STARTING:
            yield "admitted", host, replace(state, sessions=others | {(host, epoch, OPEN)})
        else:
            # Also of a process that is gone: its last commit was on its way.
            left = state.sessions if progress == OPEN else others
            yield (
                "commit",
                host,
                replace(state, sessions=left, last=max(epoch, state.last), violated=epoch < state.last),
            )


def explore(design):
    """The shortest way to a violation, if there is one, and the number of states that were found."""
    begin = State()
    came_from = {begin: None}
    waiting = deque([begin])
    while waiting:
        state = waiting.popleft()
        for name, host, after in steps(state, design):
            if after in came_from:
                continue
            came_from[after] = (state, f"{name} {host}")
            if after.violated:
                way, at = [], after
                while came_from[at]:
                    at, step = came_from[at]
                    way.append(step)
                return way[::-1], len(came_from)
            waiting.append(after)
    return [], len(came_from)


def test_the_design_keeps_the_order_of_commits():
    way, states = explore(Design())
    assert way == []
    assert states > 1000


@pytest.mark.parametrize(
    "design",
    [
        pytest.param(Design(revokes=False, terminates=False, waits=False), id="a lease alone"),
        pytest.param(Design(waits=False), id="starts without waiting for sessions to end"),
        pytest.param(Design(revokes=False), id="logins stay: sessions may come back"),
        pytest.param(Design(terminates=False, waits=False), id="no new sessions, but the old ones stay"),
        pytest.param(Design(waits_for_starting=False), id="sessions that are being admitted are ignored"),
        pytest.param(Design(fences_itself=False), id="its own sessions of an earlier epoch stay"),
        pytest.param(Design(one_group=False), id="a scheduler outlives its agent"),
    ],
)
def test_no_part_can_be_left_out(design):
    way, _states = explore(design)
    assert way
    assert way[-1].startswith("commit")


LATE = Design(revokes=False, revokes_late=True)


def stuck(design):
    """A state in which an agent waits for a session that no agent asks to end."""
    seen, waiting = {State()}, [State()]
    while waiting:
        state = waiting.pop()
        following = list(steps(state, design))
        for host in HOSTS:
            open_ones = [session for session in in_the_way(state, host, design) if session[2] == OPEN]
            goes_on = any(name in ("terminate", "lost") and who == host for name, who, _after in following)
            if state.agents[host][0] in (ASKED, WAITS) and open_ones and not goes_on:
                return state
        for _name, _host, after in following:
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    return None


def test_logins_are_revoked_first_because_a_session_that_comes_back_would_stay():
    assert explore(LATE)[0] == []
    assert stuck(LATE)
    assert stuck(Design()) is None
