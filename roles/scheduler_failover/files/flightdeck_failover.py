"""One scheduler acts at a time: the agent that runs it when it is this host's turn, and the operator's command.

Whose turn it is stands in the metastore, see docs/scheduler-failover.md. `start` is what airflow-scheduler.service runs; every other
command asks the metastore and ends with 0 (well), 1 (warning), 2 (critical) or 3 (unknown).
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

VERSION = "0.1.0"
SECRETS = Path("/etc/airflow/secrets")
OK, WARNING, CRITICAL, UNKNOWN = range(4)

# Seconds. A turn that nobody renews lasts so long (the functions in the metastore know it, too): five renewals may fail, and a session that
# hangs is given up in time for another attempt.
TTL = 30
RENEW = 5
# Agents that wait ask so often: it is the smallest part of the time that a failover takes.
POLL = 3
# No session of another scheduler may be seen for so long before this one starts.
FENCE = 2
# This long before the turn runs out the scheduler is dead. Nothing depends on it but that no two do the same work for nothing.
MARGIN = 10
# A call that takes longer has failed: three fit in before the scheduler has to be dead.
CALL = 4
# A scheduler that was asked to end is killed after so long; systemd would kill this agent after 60 s.
STOP = 45
# A scheduler that ends sooner than the first has failed. After so many failures in a row, another host has its chance for so long.
SHORT_LIFE, FAILURES, REST = 120, 3, 15

STANDS_BY, FENCES, ACTS, STOPS = "stands by", "fences", "acts", "stops"
Answer = dict[str, Any]


class UnreachableError(Exception):
    """The metastore did not answer, or not in time. What was asked for may have happened."""


class RefusedError(Exception):
    """The metastore said no: it is not this host's turn, or it may have none."""


class Asked(Protocol):
    """Calls functions in the metastore."""

    def call(self, function: str, *arguments: object) -> Answer:
        """Answer of a function. Raises UnreachableError or RefusedError."""


class Metastore:
    """A session that no answer can keep waiting: not a lost host, nor a commit that waits for a copy which nobody makes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session: Any = None

    def call(self, function: str, *arguments: object) -> Answer:
        """Answer of a function. Raises UnreachableError or RefusedError."""
        import psycopg2

        end = time.monotonic() + CALL
        try:
            if self.session is None:
                options = f"-c statement_timeout={CALL}s -c lock_timeout={CALL}s"
                self.session = psycopg2.connect(self.url, async_=True, options=options, application_name="flightdeck-failover")
                self._wait(end)
                self.session.notices.clear()
            cursor = self.session.cursor()
            cursor.execute(f"SELECT scheduler_lease.{function}({', '.join(['%s'] * len(arguments))})", arguments)
            self._wait(end)
            if self.session.notices:
                # Such as that somebody cancelled the wait for a second copy: then it is not sure to stay.
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
                raise TimeoutError(f"no answer within {CALL} s")
            wanted = [self.session.fileno()]
            select.select(wanted if state == states.POLL_READ else [], wanted if state == states.POLL_WRITE else [], [], left)

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
        """Make it."""

    def ended(self) -> int | None:
        """Code with which the main process ended; None as long as it runs."""

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
        """Make it. What systemd told the agent is not for it."""
        own = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
        self.process = subprocess.Popen(self.command, env={name: value for name, value in os.environ.items() if name not in own})

    def ended(self) -> int | None:
        """Code with which the main process ended; None as long as it runs."""
        return self.process.poll() if self.process else 0

    def terminate(self) -> None:
        """Ask it to end."""
        if self.process:
            self.process.terminate()

    def kill(self) -> None:
        """None of its processes is left afterwards. Raises SystemExit when one withstands: systemd ends this unit as a whole then."""
        end = time.monotonic() + FENCE
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
        return [int(path.name) for path in Path("/proc").glob("[0-9]*") if int(path.name) != os.getpid() and self._group(path.name) == own]

    @staticmethod
    def _group(pid: int | str) -> str:
        """Control group of a process; empty for one that is gone, or whose end nobody has looked at yet."""
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            return "" if state in "ZX" else Path(f"/proc/{pid}/cgroup").read_text()
        except OSError:
            return ""


def set_alarm(seconds: float) -> None:
    """The kernel kills this process after ``seconds``, whatever it hangs in, and systemd all others in its control group; 0 is never."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


class Agent:
    """What one host does. ``step`` is called again and again, after the seconds that it returned."""

    def __init__(
        self,
        host: str,
        metastore: Asked,
        child: Child,
        *,
        notify: Callable[[str], None],
        moved: Callable[[str, int], None],
        alarm: Callable[[float], None] = set_alarm,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host, self.metastore, self.child = host, metastore, child
        self.notify, self.moved, self.alarm, self.clock = notify, moved, alarm, clock
        self.state = STANDS_BY
        # Set by a signal.
        self.ending = False
        self.done = False
        self.epoch, self.holder, self.trouble, self.refused = 0, "", "", False
        # When the scheduler has to be dead, when to renew, and for whom to make room.
        self.deadline, self.renew_at, self.wished = 0.0, 0.0, ""
        # Sessions that were being admitted when the turn began; when that was, and when a session of another was seen last.
        self.suspects: set[int] | None = None
        self.fencing_since = self.seen_at = 0.0
        self.started_at = self.kill_at = self.rest_until = 0.0
        self.failures = 0

    def step(self) -> float:
        """Do what is due. Raises SystemExit when the scheduler had to be killed: nothing of this unit may survive."""
        try:
            pause = {STANDS_BY: self._stand_by, FENCES: self._fence, ACTS: self._act, STOPS: self._stop}[self.state]()
        except (UnreachableError, RefusedError) as error:
            self._in_trouble(error)
            self.state = STANDS_BY
            return POLL
        return pause

    def _in_trouble(self, error: Exception) -> None:
        if str(error) != self.trouble:
            say(4, str(error))
        self.trouble, self.refused = str(error), isinstance(error, RefusedError)

    def _stand_by(self) -> float:
        # There is no scheduler that this could keep alive.
        self.notify("WATCHDOG=1")
        if self.ending:
            self.done = True
            if self.holder == self.host:
                self._leave()
            return 0
        sent = self.clock()
        if sent < self.rest_until:
            return 1
        answer = self.metastore.call("acquire", self.host, STANDS_BY)
        self.trouble = ""
        self.holder = answer["holder"] or ""
        if answer["epoch"] is None:
            return POLL
        self.epoch = answer["epoch"]
        say(5, f"turn {self.epoch} is mine{f', it was that of {self.holder}' if self.holder else ''}")
        self.holder = self.host
        self.state, self.suspects, self.fencing_since = FENCES, None, sent
        self.deadline = sent + TTL - MARGIN
        return 0

    def _fence(self) -> float:
        """No session of any scheduler, nor one that may become one: seen for FENCE seconds after the logins were taken."""
        self.notify("WATCHDOG=1")
        sent = self.clock()
        if self.ending:
            self._leave()
            return 0
        if sent >= self.deadline:
            raise UnreachableError("could not make sure in time that no other scheduler has a session")
        stubborn = sorted(self.suspects or ()) if sent - self.fencing_since > FENCE else []
        seen = self.metastore.call("fence", self.host, self.epoch, stubborn)
        self.deadline = sent + TTL - MARGIN
        starting = set(seen["starting"])
        first = self.suspects is None
        self.suspects = starting if self.suspects is None else self.suspects & starting
        if first or seen["sessions"] or self.suspects:
            self.seen_at = self.clock()
        elif sent - self.seen_at >= FENCE:
            return self._begin()
        return 0.25

    def _begin(self) -> float:
        sent = self.clock()
        before = self.metastore.call("admit", self.host, self.epoch)["before"]
        self._confirmed(sent)
        self.state, self.started_at, self.wished = ACTS, sent, ""
        say(5, f"the scheduler starts, turn {self.epoch}")
        try:
            self.child.start()
        except OSError as error:
            # Counts like one that ends at once.
            say(3, f"it cannot: {error}")
        if before not in (None, self.host):
            self.moved(before, self.epoch)
        return 1

    def _confirmed(self, sent: float) -> None:
        """It was my turn when the metastore was asked at ``sent``."""
        self.deadline, self.renew_at = sent + TTL - MARGIN, sent + RENEW
        # A second later than what is looked at here, and by nobody who could hang.
        self.alarm(max(0.001, self.deadline + 1 - self.clock()))
        self.notify("WATCHDOG=1")

    def _act(self) -> float:
        if (code := self.child.ended()) is not None:
            return self._ended(code)
        self._renew()
        if self.ending or self.wished:
            say(5, f"the scheduler is asked to end, {f'{self.wished} is wished for' if self.wished else 'this service stops'}")
            self.child.terminate()
            self.state, self.kill_at = STOPS, self.clock() + STOP
        return 1

    def _renew(self) -> None:
        """Keep the turn, or kill the scheduler: when it is another's, or when nobody can say whose it is and time is over."""
        sent = self.clock()
        if sent >= self.renew_at and sent < self.deadline:
            try:
                self.wished = self.metastore.call("renew", self.host, self.epoch, self.state)["wished"] or ""
                self.trouble = ""
                self._confirmed(sent)
            except UnreachableError as error:
                self._in_trouble(error)
            except RefusedError as error:
                self._kill(str(error))
        if self.clock() >= self.deadline:
            self._kill(f"the turn could not be renewed for {TTL - MARGIN} s")

    def _kill(self, why: str) -> None:
        say(2, f"{why}: the scheduler is killed")
        self.child.kill()
        raise SystemExit(0 if self.ending else 1)

    def _ended(self, code: int) -> float:
        """The scheduler ended by itself. It starts again here, unless this service stops or it has failed too often."""
        say(4, f"the scheduler ended with {code}")
        now = self.clock()
        self.failures = self.failures + 1 if now - self.started_at < SHORT_LIFE else 1
        if self.ending:
            self._leave()
        elif self.failures < FAILURES:
            self.child.kill()
            self.alarm(0)
            self.state = STANDS_BY
        else:
            say(3, f"the scheduler failed {self.failures} times in a row, another host has its chance")
            self.failures, self.rest_until = 0, now + REST
            self._leave()
        return 1

    def _stop(self) -> float:
        if self.child.ended() is None:
            if self.clock() >= self.kill_at:
                say(4, f"the scheduler did not end within {STOP} s, it is killed")
                self.child.kill()
            self._renew()
            return 0.5
        self._leave()
        return 0

    def _leave(self) -> None:
        """Nothing of the scheduler is left: another may have the turn. When that cannot be said, it runs out."""
        self.child.kill()
        self.alarm(0)
        self.state, self.holder = STANDS_BY, ""
        self.metastore.call("release", self.host, self.epoch)
        say(5, f"turn {self.epoch} is given back")

    def status(self) -> Answer:
        """For airflow-health."""
        return {
            "state": self.state,
            "epoch": self.epoch,
            "holder": self.holder,
            "pid": self.child.pid if self.state == ACTS else 0,
            "trouble": self.trouble,
            "refused": self.refused and bool(self.trouble),
        }


def say(priority: int, text: str) -> None:
    """A line for the journal, with syslog's priority."""
    print(f"<{priority}>{text}", file=sys.stderr, flush=True)


def notify(text: str) -> None:
    """Tell systemd."""
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
            server.login(mail["user"], mail["password"])
        server.send_message(message)


class Post(urllib.request.Request):
    """A JSON document for a web server."""

    def __init__(self, url: str, document: Answer) -> None:
        super().__init__(url, json.dumps(document).encode(), {"Content-Type": "application/json"})


def alert(settings: Mapping[str, Any], before: str, epoch: int) -> None:
    """Tell people that another host acts."""
    cluster, host = settings["cluster"], settings["host"]
    subject = f"Airflow {cluster}: the scheduler of {host} acts"
    event = {"event": "scheduler_moved", "cluster": cluster, "from": before, "to": host, "epoch": epoch, "text": subject}

    def email() -> None:
        send_email(settings, subject, f"{subject} with turn {epoch}, before it was that of {before}.\n")

    def webhook() -> None:
        urllib.request.build_opener().open(Post(settings["webhook_url"], event), timeout=10).close()

    for wanted, tell in ((settings["email"]["to"], email), (settings["webhook_url"], webhook)):
        if not wanted:
            continue
        try:
            tell()
        except Exception as error:
            # Its text may hold the URL or the password, which are secrets.
            say(3, f"{tell.__name__}: people could not be told that this host acts: {type(error).__name__}")


def start(settings: Mapping[str, Any], metastore: Metastore) -> int:
    """The agent, until SIGTERM."""
    if "NOTIFY_SOCKET" not in os.environ:
        print("the agent kills everything in its control group: start airflow-scheduler.service instead", file=sys.stderr)
        return UNKNOWN

    def moved(before: str, epoch: int) -> None:
        threading.Thread(target=alert, args=(settings, before, epoch), daemon=True).start()

    agent = Agent(settings["host"], metastore, Scheduler([settings["airflow"], "scheduler"]), notify=notify, moved=moved)
    woken = threading.Event()

    def end(_number: int, _frame: object) -> None:
        agent.ending = True
        woken.set()

    signal.signal(signal.SIGTERM, end)
    path = Path(os.environ["RUNTIME_DIRECTORY"]) / "state.json"
    told: Answer = {}
    # systemd may have given up waiting for what an earlier agent left.
    agent.child.kill()
    notify("READY=1")
    while not agent.done:
        pause = agent.step()
        if told != (told := agent.status()):
            path.with_suffix(".new").write_text(json.dumps(told))
            path.with_suffix(".new").replace(path)
            notify(f"STATUS={told['state']}, turn {told['epoch']}{', ' + told['trouble'] if told['trouble'] else ''}")
        woken.wait(pause)
        woken.clear()
    return OK


# The operator's commands: exit code, what --json prints, and what is printed without it.
Result = tuple[int, Answer, list[str]]


def judge(seen: Answer) -> tuple[int, str]:
    """Exit code for what ``look`` returned, and the reason."""
    holder = seen["holder"]
    others = [node["host"] for node in seen["nodes"] if node["there"] and node["host"] != holder]
    doing = next((node["doing"] for node in seen["nodes"] if node["host"] == holder and node["there"]), "was not heard of lately")
    if not seen["lives"]:
        return CRITICAL, f"nobody acts{f', {holder} was the last' if holder else ''}"
    if doing != ACTS:
        return WARNING, f"{holder} has the turn and {doing}"
    if seen["wished"]:
        return WARNING, f"{holder} acts, {seen['wished']} is wished for"
    if not others:
        return WARNING, f"{holder} acts, and no other host stands by"
    return OK, f"{holder} acts, {', '.join(others)} {'stand' if len(others) > 1 else 'stands'} by"


def node_lines(seen: Answer) -> list[str]:
    """A line for every host that may have a turn."""
    return [
        f"{node['host']}: {node['doing'] if node['there'] else 'not heard of'}"
        + (f", {node['seen_seconds']:.0f} s ago" if node["seen_seconds"] is not None else "")
        + (", may log in" if node["may_log_in"] else "")
        for node in seen["nodes"]
    ]


def status(_settings: Mapping[str, Any], metastore: Asked, _given: argparse.Namespace) -> Result:
    """who acts, and who could"""
    seen = metastore.call("look")
    code, text = judge(seen)
    return code, {**seen, "summary": text}, [f"{text} (turn {seen['epoch']})", *node_lines(seen)]


def metadata(_settings: Mapping[str, Any], metastore: Asked, _given: argparse.Namespace) -> Result:
    """everything that the metastore keeps"""
    seen = metastore.call("look")
    return OK, seen, json.dumps(seen, indent=2).splitlines()


def clear_metadata(_settings: Mapping[str, Any], metastore: Asked, given: argparse.Namespace) -> Result:
    """nobody's turn any more; refused while somebody acts"""
    if not given.yes:
        raise RefusedError("this takes the login from every scheduler: say --yes")
    metastore.call("clear")
    return OK, {}, ["it is nobody's turn; the next agent that asks takes it"]


def is_scheduler_running(settings: Mapping[str, Any], metastore: Asked, given: argparse.Namespace) -> Result:
    """whether a scheduler acts, and where"""
    seen = metastore.call("look")
    text = judge(seen)[1]
    running = {node["host"]: bool(node["there"] and node["doing"] == ACTS and node["host"] == seen["holder"]) for node in seen["nodes"]}
    lines = [f"{host}: {'running' if runs else 'not running'}" for host, runs in running.items()]
    found = running.get(settings["host"], False) if given.here else any(running.values())
    return (OK if found else CRITICAL), {"running": running, "summary": text}, lines


def test_connection(settings: Mapping[str, Any], metastore: Asked, _given: argparse.Namespace) -> Result:
    """whether the metastore answers, and which agents it has heard of"""
    begun = time.monotonic()
    seen = metastore.call("look")
    milliseconds = round(1000 * (time.monotonic() - begun))
    absent = [node["host"] for node in seen["nodes"] if not node["there"]]
    lines = [f"the metastore answers {settings['host']} within {milliseconds} ms", *node_lines(seen)]
    return (WARNING if absent else OK), {"milliseconds": milliseconds, "absent": absent}, lines


def init(settings: Mapping[str, Any], metastore: Asked, _given: argparse.Namespace) -> Result:
    """whether site.yml has prepared this host and the metastore; there is nothing else to do"""
    if settings["host"] not in [node["host"] for node in metastore.call("look")["nodes"]]:
        raise RefusedError(f"{settings['host']} may have no turn: deploy the whole cluster with site.yml")
    return OK, {"host": settings["host"]}, [f"{settings['host']} is ready"]


def get_current_host(settings: Mapping[str, Any], _metastore: Asked, _given: argparse.Namespace) -> Result:
    """the name of this host in the inventory"""
    return OK, {"host": settings["host"]}, [settings["host"]]


def send_test_email(settings: Mapping[str, Any], _metastore: Asked, _given: argparse.Namespace) -> Result:
    """an e-mail to those who are told when another host acts"""
    to = settings["email"]["to"]
    if not to:
        raise RefusedError("airflow_failover_email_to is empty")
    try:
        send_email(settings, f"Airflow {settings['cluster']}: test", f"Sent by flightdeck-failover on {settings['host']}.\n")
    except (OSError, ValueError) as error:
        raise RefusedError(f"the e-mail was not sent: {error}") from error
    return OK, {"to": to}, [f"sent to {', '.join(to)}"]


def version(_settings: Mapping[str, Any], _metastore: Asked, _given: argparse.Namespace) -> Result:
    """of this program and of Airflow"""
    airflow = importlib.metadata.version("apache-airflow")
    return OK, {"version": VERSION, "airflow": airflow}, [f"flightdeck-failover {VERSION}, Airflow {airflow}"]


def switchover(_settings: Mapping[str, Any], metastore: Asked, given: argparse.Namespace) -> Result:
    """hand over to another host, and wait until its scheduler acts"""

    def acts() -> bool:
        seen = metastore.call("look")
        here = any(node["host"] == given.host and node["there"] and node["doing"] == ACTS for node in seen["nodes"])
        return bool(seen["lives"] and seen["holder"] == given.host and here)

    begun = time.monotonic()
    if not acts():
        metastore.call("wish", given.host)
    while time.monotonic() - begun < given.wait:
        with contextlib.suppress(UnreachableError):
            if acts():
                return OK, {"host": given.host}, [f"{given.host} acts"]
        time.sleep(0.5)
    raise RefusedError(f"{given.host} does not act after {given.wait:.0f} s")


COMMANDS: dict[str, Callable[[Mapping[str, Any], Asked, argparse.Namespace], Result]] = {
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


def answer(settings: Mapping[str, Any], metastore: Asked, given: argparse.Namespace) -> Result:
    """What a command found, or why it found nothing."""
    try:
        return COMMANDS[given.command](settings, metastore, given)
    except RefusedError as error:
        return CRITICAL, {"summary": str(error)}, [str(error)]
    except UnreachableError as error:
        return UNKNOWN, {"summary": str(error)}, [f"the metastore does not answer: {error}"]


class Parser(argparse.ArgumentParser):
    """A command that nobody knows says nothing about the cluster."""

    def error(self, message: str) -> NoReturn:
        """What is wrong with the arguments."""
        self.print_usage(sys.stderr)
        self.exit(UNKNOWN, f"{self.prog}: {message}\n")


def main() -> int:
    """Command line."""
    parser = Parser(prog="flightdeck-failover", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("start", help="run the agent; for airflow-scheduler.service")
    added = {name: commands.add_parser(name, help=function.__doc__) for name, function in COMMANDS.items()}
    added["clear_metadata"].add_argument("--yes", action="store_true", help="really")
    added["is_scheduler_running"].add_argument("--here", action="store_true", help="only that of this host counts")
    added["switchover"].add_argument("host", help="its name in the inventory")
    added["switchover"].add_argument("--wait", type=float, default=120, metavar="SECONDS", help="how long to wait for it")
    given = parser.parse_args()
    try:
        settings = json.loads((SECRETS / "scheduler_failover").read_text())
        metastore = Metastore((SECRETS / "scheduler_lease").read_text())
    except OSError as error:
        summary = f"{error}: run this as root, on a host that may have a turn"
        print(json.dumps({"status": WORDS[UNKNOWN], "summary": summary}) if given.json else summary)
        return UNKNOWN
    if given.command == "start":
        return start(settings, metastore)
    code, found, lines = answer(settings, metastore, given)
    print(json.dumps({"status": WORDS[code], **found}) if given.json else "\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
