"""Singleton mode: the agent that runs a scheduler while its host is the leader, and the operators' command.

The leader lease is a row in the metastore, see docs/scheduler-failover.md. airflow-scheduler.service runs `start`;
every other command asks the metastore and ends with 0 (ok), 1 (warning), 2 (critical) or 3 (unknown).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import select
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any, NoReturn, Protocol

PROGRAM = "flightdeck-scheduler-lease"
VERSION = "0.1.0"
SECRETS = Path("/etc/airflow/secrets")
OK, WARNING, CRITICAL, UNKNOWN = range(4)

# Seconds. The lease is valid so long without a renewal; the functions in the metastore have the same number. Five
# renewals may fail, and a session that hangs is given up in time for another attempt.
TTL = 30
RENEW_INTERVAL = 5
# A standby asks so often: the smallest part of the time that a failover takes.
POLL_INTERVAL = 3
# The scheduler starts after no session of another one was found for so long.
FENCE_PERIOD = 2
# The scheduler is dead so long before the lease expires. No guarantee depends on it: two schedulers would do the same
# work.
MARGIN = 10
# A call that takes longer has failed: three fit in before the scheduler has to be dead.
CALL_TIMEOUT = 4
# A scheduler that does not end in this time is killed; systemd would kill this agent after 60 s.
STOP_TIMEOUT = 45
# A scheduler that ends within the first has failed. After so many failures in a row, the host does not ask for the
# lease for so long.
SHORT_LIFE, FAILURES, BACKOFF = 120, 3, 15

STANDBY, FENCING, ACTIVE, STOPPING = "standby", "fencing", "active", "stopping"
Answer = dict[str, Any]


class UnreachableError(Exception):
    """The metastore did not answer in time. What was asked for may have happened."""


class RefusedError(Exception):
    """The metastore refused the call: this host is not the leader, or may not be."""


class LeaseDatabase(Protocol):
    """Calls functions in the metastore."""

    def call(self, function: str, *arguments: object) -> Answer:
        """Answer of a function. Raises UnreachableError or RefusedError."""


class Metastore:
    """A session whose calls end in time, also when a host is lost or a commit waits for a copy that no server makes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session: Any = None

    def call(self, function: str, *arguments: object) -> Answer:
        """Answer of a function. Raises UnreachableError or RefusedError."""
        import psycopg2

        end = time.monotonic() + CALL_TIMEOUT
        try:
            if self.session is None:
                options = f"-c statement_timeout={CALL_TIMEOUT}s -c lock_timeout={CALL_TIMEOUT}s"
                self.session = psycopg2.connect(self.url, async_=True, options=options, application_name=PROGRAM)
                self._wait(end)
                self.session.notices.clear()
            cursor = self.session.cursor()
            cursor.execute(f"SELECT scheduler_lease.{function}({', '.join(['%s'] * len(arguments))})", arguments)
            self._wait(end)
            if self.session.notices:
                # Such as that the wait for a second copy was cancelled: then the write may be lost.
                raise OSError(str(self.session.notices))
            return dict(cursor.fetchone()[0])
        except (psycopg2.Error, OSError) as error:
            text = str(error).strip().partition("\n")[0] or type(error).__name__
            if (getattr(error, "pgcode", None) or "").startswith("AL"):
                raise RefusedError(text) from error
            self.close()
            raise UnreachableError(text) from error

    def _wait(self, end: float) -> None:
        """Until the server has answered; raises TimeoutError."""
        import psycopg2.extensions as states

        while (state := self.session.poll()) != states.POLL_OK:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no answer within {CALL_TIMEOUT} s")
            file = self.session.fileno()
            reads, writes = ([file] if state == wanted else [] for wanted in (states.POLL_READ, states.POLL_WRITE))
            select.select(reads, writes, [], left)

    def close(self) -> None:
        """The next call makes a new session."""
        if self.session is not None:
            self.session.close()
            self.session = None


class Child(Protocol):
    """The scheduler's processes."""

    @property
    def pid(self) -> int:
        """Its main process; 0 when there is none."""

    def start(self) -> None:
        """Start it. Raises OSError."""

    def ended(self) -> int | None:
        """Exit code of the main process; None while it runs."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """None of its processes is left afterwards."""


class Scheduler:
    """The scheduler as a child: everything in the control group but this process belongs to it."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = command
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its main process; 0 when there is none."""
        return self.process.pid if self.process else 0

    def start(self) -> None:
        """Start it, without systemd's variables for the agent. Raises OSError."""
        own = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
        environment = {name: value for name, value in os.environ.items() if name not in own}
        self.process = subprocess.Popen(self.command, env=environment)

    def ended(self) -> int | None:
        """Exit code of the main process; None while it runs."""
        return self.process.poll() if self.process else 0

    def terminate(self) -> None:
        """Ask it to end."""
        if self.process:
            self.process.terminate()

    def kill(self) -> None:
        """None of its processes is left afterwards. Raises SystemExit when one survives: systemd ends the unit then."""
        end = time.monotonic() + FENCE_PERIOD
        while others := self._others():
            if time.monotonic() > end:
                raise SystemExit(f"processes {others} cannot be killed")
            for pid in others:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.ended()
            time.sleep(0.02)
        self.process = None

    def _others(self) -> list[int]:
        """Processes in the control group of this one."""
        own = self._group(os.getpid())
        pids = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
        return [pid for pid in pids if pid != os.getpid() and self._group(pid) == own]

    @staticmethod
    def _group(pid: int | str) -> str:
        """Control group of a process; empty for one that has ended, also when its parent has not collected it."""
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            return "" if state in "ZX" else Path(f"/proc/{pid}/cgroup").read_text()
        except OSError:
            return ""


def set_alarm(seconds: float) -> None:
    """The kernel kills this process after ``seconds``, whatever it hangs in, and systemd its group; 0 is never."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


class Agent:
    """What one host does: call ``step`` again and again, each time after the seconds that it returned.

    ``notify`` sends a text to systemd. ``moved`` is called with the host that was active before and the epoch,
    ``alarm`` with the seconds after which this process is to be killed. ``clock`` returns seconds.
    """

    def __init__(
        self,
        host: str,
        database: LeaseDatabase,
        child: Child,
        *,
        notify: Callable[[str], None],
        moved: Callable[[str, int], None],
        alarm: Callable[[float], None] = set_alarm,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host, self.database, self.child = host, database, child
        self.notify, self.moved, self.alarm, self.clock = notify, moved, alarm, clock
        self.state = STANDBY
        # Set by a signal.
        self.ending = False
        self.done = False
        self.epoch, self.leader, self.problem, self.refused = 0, "", "", False
        # When the scheduler has to be dead, when to renew, and the host to hand over to.
        self.deadline, self.renew_at, self.requested_host = 0.0, 0.0, ""
        # Sessions that were being admitted when the epoch began; when that was, and when a session was found last.
        self.lingering: set[int] | None = None
        self.fencing_since = self.found_at = 0.0
        self.started_at = self.kill_at = self.backoff_until = 0.0
        self.failures = 0

    def step(self) -> float:
        """Do what is due, and return the seconds until the next step.

        Raises SystemExit when the scheduler had to be killed: nothing of this unit may survive.
        """
        steps = {STANDBY: self._stand_by, FENCING: self._fence, ACTIVE: self._supervise, STOPPING: self._stop}
        try:
            pause = steps[self.state]()
        except (UnreachableError, RefusedError) as error:
            self._record_problem(error)
            self.state = STANDBY
            return POLL_INTERVAL
        return pause

    def _record_problem(self, error: Exception) -> None:
        if str(error) != self.problem:
            log(4, str(error))
        self.problem, self.refused = str(error), isinstance(error, RefusedError)

    def _stand_by(self) -> float:
        # There is no scheduler that this could keep alive.
        self.notify("WATCHDOG=1")
        if self.ending:
            self.done = True
            if self.leader == self.host:
                self._release()
            return 0
        sent = self.clock()
        if sent < self.backoff_until:
            return 1
        answer = self.database.call("acquire", self.host, STANDBY)
        self.problem = ""
        self.leader = answer["leader"] or ""
        if answer["epoch"] is None:
            return POLL_INTERVAL
        self.epoch = answer["epoch"]
        before = f"; before, it was {self.leader}" if self.leader else ""
        log(5, f"this host is the leader, epoch {self.epoch}{before}")
        self.leader = self.host
        self.state, self.lingering, self.fencing_since = FENCING, None, sent
        self.deadline = sent + TTL - MARGIN
        return 0

    def _fence(self) -> float:
        """Wait until no session of a scheduler, nor one that is being admitted, was found for the fence period."""
        self.notify("WATCHDOG=1")
        sent = self.clock()
        if self.ending:
            self._release()
            return 0
        if sent >= self.deadline:
            raise UnreachableError("could not make sure in time that no other scheduler has a session")
        lingering = sorted(self.lingering or ()) if sent - self.fencing_since > FENCE_PERIOD else []
        found = self.database.call("fence", self.host, self.epoch, lingering)
        self.deadline = sent + TTL - MARGIN
        starting = set(found["starting"])
        first = self.lingering is None
        self.lingering = starting if self.lingering is None else self.lingering & starting
        if first or found["sessions"] or self.lingering:
            self.found_at = self.clock()
        elif sent - self.found_at >= FENCE_PERIOD:
            return self._activate()
        return 0.25

    def _activate(self) -> float:
        sent = self.clock()
        previous = self.database.call("activate", self.host, self.epoch)["previous"]
        self._confirmed(sent)
        self.state, self.started_at, self.requested_host = ACTIVE, sent, ""
        log(5, f"the scheduler starts, epoch {self.epoch}")
        try:
            self.child.start()
        except OSError as error:
            # Counts like one that ends at once.
            log(3, f"the scheduler does not start: {error}")
        if previous not in (None, self.host):
            self.moved(previous, self.epoch)
        return 1

    def _confirmed(self, sent: float) -> None:
        """This host was the leader when the metastore was asked at ``sent``."""
        self.deadline, self.renew_at = sent + TTL - MARGIN, sent + RENEW_INTERVAL
        # A second after the agent's own check, and by the kernel, which does not hang with it.
        self.alarm(max(0.001, self.deadline + 1 - self.clock()))
        self.notify("WATCHDOG=1")

    def _supervise(self) -> float:
        if (code := self.child.ended()) is not None:
            return self._child_ended(code)
        self._renew()
        if self.ending or self.requested_host:
            reason = f"{self.requested_host} is requested" if self.requested_host else "this service stops"
            log(5, f"the scheduler is asked to end: {reason}")
            self.child.terminate()
            self.state, self.kill_at = STOPPING, self.clock() + STOP_TIMEOUT
        return 1

    def _renew(self) -> None:
        """Renew the lease, or kill the scheduler: when another host leads, or the lease is not renewed in time."""
        sent = self.clock()
        if sent >= self.renew_at and sent < self.deadline:
            try:
                answer = self.database.call("renew", self.host, self.epoch, self.state)
                self.requested_host = answer["requested_host"] or ""
                self.problem = ""
                self._confirmed(sent)
            except UnreachableError as error:
                self._record_problem(error)
            except RefusedError as error:
                self._kill(str(error))
        if self.clock() >= self.deadline:
            self._kill(f"the lease could not be renewed for {TTL - MARGIN} s")

    def _kill(self, reason: str) -> None:
        log(2, f"{reason}: the scheduler is killed")
        self.child.kill()
        raise SystemExit(0 if self.ending else 1)

    def _child_ended(self, code: int) -> float:
        """The scheduler ended by itself. It starts again here, unless this service stops or it has failed too often."""
        log(4, f"the scheduler ended with {code}")
        now = self.clock()
        self.failures = self.failures + 1 if now - self.started_at < SHORT_LIFE else 1
        if self.ending:
            self._release()
        elif self.failures < FAILURES:
            self.child.kill()
            self.alarm(0)
            self.state = STANDBY
        else:
            log(3, f"the scheduler failed {self.failures} times in a row: another host may acquire the lease")
            self.failures, self.backoff_until = 0, now + BACKOFF
            self._release()
        return 1

    def _stop(self) -> float:
        if self.child.ended() is None:
            if self.clock() >= self.kill_at:
                log(4, f"the scheduler did not end within {STOP_TIMEOUT} s, it is killed")
                self.child.kill()
            self._renew()
            return 0.5
        self._release()
        return 0

    def _release(self) -> None:
        """Release the lease; nothing of the scheduler is left. When the metastore does not answer, it expires."""
        self.child.kill()
        self.alarm(0)
        self.state, self.leader = STANDBY, ""
        self.database.call("release", self.host, self.epoch)
        log(5, f"the lease is released, epoch {self.epoch}")

    def status(self) -> Answer:
        """What airflow-health reads: the process to check, a summary, and why this host is unhealthy or unknown."""
        pid = self.child.pid if self.state == ACTIVE else 0
        unhealthy = unknown = ""
        summary = f"epoch {self.epoch}"
        if self.state == ACTIVE:
            unhealthy = "" if pid else "the scheduler did not start"
        elif self.refused and self.problem:
            unhealthy = self.problem
        elif self.problem:
            unknown = self.problem
        elif self.state != STANDBY or not self.leader:
            unhealthy = f"{self.state}, no scheduler is active"
        else:
            summary = f"{STANDBY}, {self.leader} is the leader"
        return {
            "state": self.state,
            "epoch": self.epoch,
            "pid": pid,
            "summary": summary,
            "problem": self.problem,
            "unhealthy": unhealthy,
            "unknown": unknown,
        }


def log(priority: int, text: str) -> None:
    """A line for the journal, with syslog's priority."""
    print(f"<{priority}>{text}", file=sys.stderr, flush=True)


def notify(text: str) -> None:
    """Send a state to systemd."""
    address = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
        connection.sendto(text.encode(), f"\0{address[1:]}" if address.startswith("@") else address)


def send_email(settings: Mapping[str, Any], subject: str, text: str) -> None:
    """Raises OSError or SMTPException, which is one, too."""
    mail = settings["email"]
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, mail["from"], ", ".join(mail["to"])
    message.set_content(text)
    with smtplib.SMTP(mail["host"], mail["port"], timeout=10) as server:
        if mail["starttls"]:
            server.starttls(context=ssl.create_default_context())
        if mail["user"]:
            server.login(mail["user"], settings["email_password"])
        server.send_message(message)


class Post(urllib.request.Request):
    """A JSON document for a web server."""

    def __init__(self, url: str, document: Answer) -> None:
        super().__init__(url, json.dumps(document).encode(), {"Content-Type": "application/json"})


def alert(settings: Mapping[str, Any], previous: str, epoch: int) -> None:
    """Send an e-mail and a webhook: another host than ``previous`` is active."""
    cluster, host = settings["cluster"], settings["host"]
    subject = f"Airflow {cluster}: the scheduler of {host} is active"
    moved = {"from": previous, "to": host, "epoch": epoch}
    event = {"event": "scheduler_moved", "cluster": cluster, **moved, "text": subject}

    def email() -> None:
        send_email(settings, subject, f"{subject} with epoch {epoch}; before, that of {previous} was.\n")

    def webhook() -> None:
        urllib.request.build_opener().open(Post(settings["webhook_url"], event), timeout=10).close()

    for enabled, send in ((settings["email"]["to"], email), (settings["webhook_url"], webhook)):
        if not enabled:
            continue
        try:
            send()
        except Exception as error:
            # Its text may hold the URL or the password, which are secrets.
            log(3, f"{send.__name__}: the alert that this host is active was not sent: {type(error).__name__}")


def start(settings: Mapping[str, Any], metastore: Metastore) -> int:
    """The agent, until SIGTERM."""
    if "NOTIFY_SOCKET" not in os.environ:
        text = "the agent kills everything in its control group: start airflow-scheduler.service instead"
        print(text, file=sys.stderr)
        return UNKNOWN

    def moved(previous: str, epoch: int) -> None:
        threading.Thread(target=alert, args=(settings, previous, epoch), daemon=True).start()

    scheduler = Scheduler([settings["airflow"], "scheduler"])
    agent = Agent(settings["host"], metastore, scheduler, notify=notify, moved=moved)
    wake = threading.Event()

    def end(_number: int, _frame: object) -> None:
        agent.ending = True
        wake.set()

    signal.signal(signal.SIGTERM, end)
    path = Path(os.environ["RUNTIME_DIRECTORY"]) / "state.json"
    written: Answer = {}
    # systemd may have given up waiting for what an earlier agent left.
    agent.child.kill()
    notify("READY=1")
    while not agent.done:
        pause = agent.step()
        if written != (written := agent.status()):
            path.with_suffix(".new").write_text(json.dumps(written))
            path.with_suffix(".new").replace(path)
            problem = f", {written['problem']}" if written["problem"] else ""
            notify(f"STATUS={written['state']}, epoch {written['epoch']}{problem}")
        wake.wait(pause)
        wake.clear()
    return OK


# The operators' commands: exit code, what --json prints, and what is printed without it.
Result = tuple[int, Answer, list[str]]


def assess(found: Answer) -> tuple[int, str]:
    """Exit code for what the metastore's function ``status`` returned, and the reason."""
    leader = found["leader"]
    others = [node["host"] for node in found["nodes"] if node["live"] and node["host"] != leader]
    state = next((node["state"] for node in found["nodes"] if node["host"] == leader and node["live"]), "not live")
    if not found["valid"]:
        return CRITICAL, f"no scheduler is active{f', {leader} was the last leader' if leader else ''}"
    if state != ACTIVE:
        return WARNING, f"{leader} is the leader and {state}"
    if found["requested_host"]:
        return WARNING, f"{leader} is active, {found['requested_host']} is requested"
    if not others:
        return WARNING, f"{leader} is active, without a standby"
    return OK, f"{leader} is active, {', '.join(others)} {'are' if len(others) > 1 else 'is'} standby"


def is_active(found: Answer, host: str) -> bool:
    """Whether ``host`` is the leader and live, and its scheduler runs."""
    states = [node["state"] for node in found["nodes"] if node["host"] == host and node["live"]]
    return found["leader"] == host and ACTIVE in states


def node_lines(found: Answer) -> list[str]:
    """A line for every host that may hold the lease."""
    return [
        f"{node['host']}: {node['state'] if node['live'] else 'not live'}"
        + (f", {node['last_seen_seconds']:.0f} s ago" if node["last_seen_seconds"] is not None else "")
        + (", can log in" if node["can_login"] else "")
        for node in found["nodes"]
    ]


def status(_settings: Mapping[str, Any], database: LeaseDatabase, _given: argparse.Namespace) -> Result:
    """which host is active, and which are standby"""
    found = database.call("status")
    code, text = assess(found)
    return code, {**found, "summary": text}, [f"{text} (epoch {found['epoch']})", *node_lines(found)]


def metadata(_settings: Mapping[str, Any], database: LeaseDatabase, _given: argparse.Namespace) -> Result:
    """everything that the metastore stores about the lease"""
    found = database.call("status")
    return OK, found, json.dumps(found, indent=2).splitlines()


def clear_metadata(_settings: Mapping[str, Any], database: LeaseDatabase, given: argparse.Namespace) -> Result:
    """remove the leader; refused while the lease is valid"""
    if not given.yes:
        raise RefusedError("this revokes the login of every scheduler: add --yes")
    database.call("clear")
    return OK, {}, ["the lease is free; the next agent that asks acquires it"]


def is_scheduler_running(settings: Mapping[str, Any], database: LeaseDatabase, given: argparse.Namespace) -> Result:
    """whether a scheduler is active, and on which host"""
    found = database.call("status")
    text = assess(found)[1]
    running = {node["host"]: is_active(found, node["host"]) for node in found["nodes"]}
    lines = [f"{host}: {'running' if runs else 'not running'}" for host, runs in running.items()]
    active = running.get(settings["host"], False) if given.here else any(running.values())
    return (OK if active else CRITICAL), {"running": running, "summary": text}, lines


def test_connection(settings: Mapping[str, Any], database: LeaseDatabase, _given: argparse.Namespace) -> Result:
    """whether the metastore answers, and which agents are live"""
    begun = time.monotonic()
    found = database.call("status")
    milliseconds = round(1000 * (time.monotonic() - begun))
    absent = [node["host"] for node in found["nodes"] if not node["live"]]
    lines = [f"the metastore answers {settings['host']} within {milliseconds} ms", *node_lines(found)]
    return (WARNING if absent else OK), {"milliseconds": milliseconds, "absent": absent}, lines


def init(settings: Mapping[str, Any], database: LeaseDatabase, _given: argparse.Namespace) -> Result:
    """whether flightdeck.airflow.site has prepared this host and the metastore; there is nothing else to do"""
    if settings["host"] not in [node["host"] for node in database.call("status")["nodes"]]:
        raise RefusedError(
            f"{settings['host']} may not hold the lease: deploy the whole cluster with flightdeck.airflow.site"
        )
    return OK, {"host": settings["host"]}, [f"{settings['host']} is ready"]


def get_current_host(settings: Mapping[str, Any], _database: LeaseDatabase, _given: argparse.Namespace) -> Result:
    """the name of this host in the inventory"""
    return OK, {"host": settings["host"]}, [settings["host"]]


def send_test_email(settings: Mapping[str, Any], _database: LeaseDatabase, _given: argparse.Namespace) -> Result:
    """send an e-mail to those who get the alerts"""
    to = settings["email"]["to"]
    if not to:
        raise RefusedError("airflow_failover_email_to is empty")
    try:
        send_email(settings, f"Airflow {settings['cluster']}: test", f"Sent by {PROGRAM} on {settings['host']}.\n")
    except (OSError, ValueError) as error:
        raise RefusedError(f"the e-mail was not sent: {error}") from error
    return OK, {"to": to}, [f"sent to {', '.join(to)}"]


def version(_settings: Mapping[str, Any], _database: LeaseDatabase, _given: argparse.Namespace) -> Result:
    """of this program and of Airflow"""
    airflow = importlib.metadata.version("apache-airflow")
    return OK, {"version": VERSION, "airflow": airflow}, [f"{PROGRAM} {VERSION}, Airflow {airflow}"]


def switchover(_settings: Mapping[str, Any], database: LeaseDatabase, given: argparse.Namespace) -> Result:
    """hand over to another host, and wait until its scheduler is active"""

    def active() -> bool:
        found = database.call("status")
        return bool(found["valid"]) and is_active(found, given.host)

    begun = time.monotonic()
    if not active():
        database.call("request_switchover", given.host)
    while time.monotonic() - begun < given.wait:
        with contextlib.suppress(UnreachableError):
            if active():
                return OK, {"host": given.host}, [f"{given.host} is active"]
        time.sleep(0.5)
    raise RefusedError(f"{given.host} is not active after {given.wait:.0f} s")


COMMANDS: dict[str, Callable[[Mapping[str, Any], LeaseDatabase, argparse.Namespace], Result]] = {
    function.__name__: function
    for function in (
        version,
        init,
        status,
        test_connection,
        is_scheduler_running,
        metadata,
        clear_metadata,
        get_current_host,
        send_test_email,
        switchover,
    )
}
WORDS = {OK: "ok", WARNING: "warning", CRITICAL: "critical", UNKNOWN: "unknown"}


def answer(settings: Mapping[str, Any], database: LeaseDatabase, given: argparse.Namespace) -> Result:
    """What a command found, or why it found nothing."""
    try:
        return COMMANDS[given.command](settings, database, given)
    except RefusedError as error:
        return CRITICAL, {"summary": str(error)}, [str(error)]
    except UnreachableError as error:
        return UNKNOWN, {"summary": str(error)}, [f"the metastore does not answer: {error}"]


class Parser(argparse.ArgumentParser):
    """An unknown command says nothing about the cluster, so it ends with 3."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong with the arguments, and end."""
        self.print_usage(sys.stderr)
        self.exit(UNKNOWN, f"{self.prog}: {message}\n")


def main() -> int:
    """Command line."""
    parser = Parser(prog=PROGRAM, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("start", help="run the agent; for airflow-scheduler.service")
    added = {name: commands.add_parser(name, help=function.__doc__) for name, function in COMMANDS.items()}
    added["clear_metadata"].add_argument("--yes", action="store_true", help="really")
    added["is_scheduler_running"].add_argument("--here", action="store_true", help="only that of this host counts")
    added["switchover"].add_argument("host", help="its name in the inventory")
    added["switchover"].add_argument("--wait", type=float, default=120, metavar="SECONDS", help="how long to wait")
    given = parser.parse_args()
    try:
        settings = json.loads((SECRETS / "scheduler_lease_settings").read_text())
        metastore = Metastore((SECRETS / "scheduler_lease_conn").read_text())
    except OSError as error:
        summary = f"{error}: run this as root, on a host that may hold the lease"
        print(json.dumps({"status": WORDS[UNKNOWN], "summary": summary}) if given.json else summary)
        return UNKNOWN
    if given.command == "start":
        return start(settings, metastore)
    code, found, lines = answer(settings, metastore, given)
    print(json.dumps({"status": WORDS[code], **found}) if given.json else "\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
