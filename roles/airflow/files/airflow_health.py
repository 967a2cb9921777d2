"""Whether Airflow services of this host do their work: exit code 0 or 1 and a line of text for each.

Checks what the service does (its heartbeat in the metastore, its answer, its queue), not only at its process, and
without importing Airflow, so that a check costs a fraction of a second.
"""

from __future__ import annotations

import argparse
import configparser
import contextlib
import dataclasses
import datetime
import json
import logging
import os
import re
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

CONFIG = "/etc/airflow/airflow.cfg"
SECRETS = Path("/etc/airflow/secrets")
ENVIRONMENT = Path("/etc/airflow/environment")
# By unit: ``probe``, the URL at which a service that has one answers, or ``heartbeat``, the option with the seconds
# between two of its heartbeats.
PROBES = Path("/etc/airflow/probes.json")
CA_FILE = str(SECRETS / "ca.crt")
# Airflow's own threshold for a live job ([scheduler] scheduler_health_check_threshold and its siblings), doubled.
# Three heartbeats have to fit into it, so where they are rarer it is longer.
HEARTBEAT_SECONDS = 60
HEARTBEATS = 3
POLL_SECONDS = 0.5
PSYCOPG2 = "postgresql+psycopg2://"
QUERY = (
    "SELECT start_date, latest_heartbeat FROM job WHERE job_type = :type AND hostname = :host ORDER BY id DESC LIMIT 1"
)
# How long a webserver, and a worker by way of the broker, may take to answer.
ANSWER_SECONDS = 10.0
# A try begins with its log: a worker that cannot write one fails every task at once, and so takes more of them than all
# others.
LOG_ROOM = 16 << 20
# The other services that write files there, with each DAG file and trigger.
LOG_WRITERS = ("airflow-dag-processor", "airflow-triggerer")
# A date of klist.
KLIST_TIME = "%m/%d/%y %H:%M:%S"
# How long the watchdog waits for a check: each of its steps has a limit of its own, but not a machine that is too busy
# for all of them.
WATCH_SECONDS = 60
# A service is slow, not broken, when it waited for a processor for this part of the time since the check before. In its
# start it may also have used one for that part: it has nothing else to show yet.
WAITED, STARTED = 0.25, 0.1
# A service that is slow has this many times as long as one that gets nothing done.
SLOW_FACTOR = 6
# A unit may run one of our programs, which runs Airflow as its child and keeps its state in a file. It may have left
# that behind.
WRAPPERS = "/usr/local/sbin/flightdeck-"
RUN = Path("/run")


class UnknownError(Exception):
    """What the check needs does not answer, the service is being stopped, or the check itself fails: no reason to
    restart."""


class UnhealthyError(Exception):
    """The service does not do its work; its last heartbeat was at ``beat``, if that is known."""

    beat = ""


class NoRoomError(UnhealthyError):
    """The service harms the cluster as long as it runs here."""


def main_pid(unit: str) -> int:
    """Process of ``unit``. Raises UnhealthyError when it does not run, UnknownError when it is not meant to."""
    shown = subprocess.run(
        ["systemctl", "show", "--property=ActiveState,SubState,MainPID", f"{unit}.service"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    state = dict(line.split("=", 1) for line in shown.splitlines())
    if state["ActiveState"] in ("inactive", "deactivating"):
        # A restart would cancel the stop. One that crashed is never in these states for long.
        raise UnknownError(f"{unit} is {state['ActiveState']}, because it was stopped")
    if state["ActiveState"] != "active":
        raise UnhealthyError(f"{unit} is {state['ActiveState']} ({state['SubState']})")
    return int(state["MainPID"])


def about(pid: int, what: str) -> str:
    """A file of the kernel about process ``pid``. Raises UnhealthyError when it has just ended."""
    try:
        return Path(f"/proc/{pid}/{what}").read_text()
    except (FileNotFoundError, ProcessLookupError) as error:
        raise UnhealthyError("its process has just ended") from error


def stat(pid: int) -> list[str]:
    """What the kernel counts for process ``pid``, after its name, which may hold spaces: its parent is [1], its start
    [19].

    Raises UnhealthyError when it has just ended.
    """
    return about(pid, "stat").rpartition(")")[2].split()


def started_at(pid: int) -> datetime.datetime:
    """When process ``pid`` started.

    Not the times of ``/proc/<pid>`` itself: they say when the kernel last made that directory, which it does again
    after a lack of memory.
    """
    # In clock ticks since the machine started.
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(stat(pid)[19]) / os.sysconf("SC_CLK_TCK")
    return datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age)


def check_web(unit: str, url: str) -> str:
    """The service answers a request of its own at ``url``."""
    main_pid(unit)
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if url.startswith("https:"):
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=CA_FILE)))
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=ANSWER_SECONDS) as answer:
            return f"answers {answer.status}"
    except OSError as error:
        raise UnhealthyError(f"no answer at {url}: {error}") from error


def utc(moment: datetime.datetime) -> datetime.datetime:
    """``moment`` with a zone: MySQL's have none and are those of the session."""
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def check_process(unit: str, since: datetime.datetime | None) -> str:
    """Its job has a heartbeat, or the program that runs it as its child has none to run now."""
    pid = main_pid(unit)
    if WRAPPERS not in about(pid, "cmdline"):
        return check_job(unit, pid, since)
    path = RUN / unit / "state.json"
    if not path.exists():
        raise UnhealthyError("its wrapper has not begun")
    state = json.loads(path.read_text())
    if state["pid"]:
        return f"{check_job(unit, state['pid'], since)}, {state['summary']}"
    if state["unhealthy"]:
        raise UnhealthyError(state["unhealthy"])
    if state["unknown"]:
        raise UnknownError(state["unknown"])
    return str(state["summary"])


def job_type(unit: str) -> str:
    """The name that Airflow gives to the job of ``unit``, such as DagProcessorJob for airflow-dag-processor."""
    return "".join(word.capitalize() for word in unit.removeprefix("airflow-").split("-")) + "Job"


def check_job(unit: str, pid: int, since: datetime.datetime | None) -> str:
    """The job of process ``pid`` has a fresh heartbeat, and one after ``since`` where that is asked."""
    sys.path.insert(0, "/etc/airflow/python")
    from flightdeck_node import address

    started = started_at(pid)
    return check_heartbeat(
        job_row((SECRETS / "sql_alchemy_conn").read_text(), job_type(unit), address()),
        started,
        since,
        oldest_heartbeat(probes()[unit]["heartbeat"], read_config(), environment(ENVIRONMENT.read_text())),
    )


def job_row(url: str, kind: str, host: str) -> Sequence[datetime.datetime] | None:
    """Start and last heartbeat of the newest job of ``kind`` on ``host``. Raises UnknownError."""
    if url.startswith(PSYCOPG2):
        import psycopg2

        # The driver alone: SQLAlchemy takes most of a check's processor time to load. libpq reads the same URL.
        query = QUERY.replace(":type", "%(type)s").replace(":host", "%(host)s")
        try:
            session = psycopg2.connect(url.replace(PSYCOPG2, "postgresql://", 1))
            with contextlib.closing(session), session.cursor() as cursor:
                cursor.execute(query, {"type": kind, "host": host})
                row: Sequence[datetime.datetime] | None = cursor.fetchone()
                return row
        except psycopg2.ProgrammingError:
            # An option of a user's URL that SQLAlchemy alone knows, or no table: it tells.
            pass
        except psycopg2.Error as error:
            raise UnknownError("the metastore does not answer") from error
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import DatabaseError

    try:
        with create_engine(url).connect() as connection:
            if connection.dialect.name == "mysql":
                connection.execute(text("SET time_zone = '+00:00'"))
            found = connection.execute(text(QUERY), {"type": kind, "host": host}).first()
            return None if found is None else tuple(found)
    except DatabaseError as error:
        # No connection; or another metastore, which is not migrated yet.
        raise UnknownError("the metastore does not answer") from error


def oldest_heartbeat(interval: str, config: configparser.RawConfigParser, variables: Mapping[str, str]) -> float:
    """Seconds after which a heartbeat is too old that comes every ``interval``, a section and an option.

    ``variables`` of the environment win over ``config``.
    """
    section, option = interval.split(".")
    given = variables.get(f"AIRFLOW__{section}__{option}".upper()) or config.get(section, option, fallback="")
    return max(HEARTBEAT_SECONDS, HEARTBEATS * float(given or 0))


def check_heartbeat(
    job: Sequence[datetime.datetime] | None, started: datetime.datetime, since: datetime.datetime | None, oldest: float
) -> str:
    """Start and last heartbeat of a ``job`` are those of a process that ``started`` then, and the heartbeat is fresh.

    ``oldest`` is the age in seconds that a heartbeat may have.
    """
    # The kernel counts in ticks, so a job may seem to be a little older than its process.
    if job is None or utc(job[0]) < started - datetime.timedelta(seconds=2):
        raise UnhealthyError("no heartbeat yet since its start")
    if since and utc(job[1]) < since:
        raise UnhealthyError(f"no heartbeat since {since:%H:%M:%S} UTC")
    age = (datetime.datetime.now(datetime.UTC) - utc(job[1])).total_seconds()
    if age > oldest:
        late = UnhealthyError(f"last heartbeat {age:.0f} s ago")
        late.beat = utc(job[1]).isoformat()
        raise late
    return f"heartbeat {max(age, 0):.0f} s ago"


def check_room(config: configparser.RawConfigParser) -> str:
    """There is room for logs."""
    folder = config.get("logging", "base_log_folder")
    system = os.statvfs(folder)
    free = system.f_bavail * system.f_frsize
    if free < LOG_ROOM:
        raise NoRoomError(f"{free >> 20} MB are free in {folder}, logs need {LOG_ROOM >> 20}")
    return f"{free >> 20} MB are free in {folder}"


def data(config: configparser.RawConfigParser, section: str, option: str) -> Any:
    """An option that holds JSON; empty when there is none. The file doubles a percent sign."""
    return json.loads(config.get(section, option, fallback="{}").replace("%%", "%"))


def check_worker(unit: str, config: configparser.RawConfigParser) -> str:
    """The worker itself says that it consumes from its queue; a process that merely answers pings may have lost its
    consumer."""
    from celery import Celery
    from kombu.exceptions import OperationalError

    sys.path.insert(0, "/etc/airflow/python")
    from flightdeck_node import address

    logging.disable(logging.CRITICAL)
    main_pid(unit)
    queue = unit.partition("@")[2]
    node = f"{queue}@{address()}"
    url = (SECRETS / "broker_url").read_text()
    if url.startswith("sqs:"):
        return check_sqs(url, queue, config)
    # Redis knows none of its own.
    timeouts = (
        {"socket_connect_timeout": 4, "socket_timeout": ANSWER_SECONDS} if url.lower().startswith("redis") else {}
    )
    app = Celery(broker=url, set_as_current=False)
    app.conf.update(
        broker_connection_timeout=4,
        broker_connection_retry=False,
        broker_transport_options={"max_retries": 1, **timeouts},
    )
    app.conf.broker_use_ssl = data(config, "celery", "extra_celery_config").get("broker_use_ssl")
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=5)
            worker = app.control.inspect(destination=[node], timeout=ANSWER_SECONDS, limit=1, connection=connection)
            answers = worker.active_queues()
    except (OperationalError, OSError) as error:
        raise UnknownError("the broker does not answer") from error
    queues = [active["name"] for active in (answers or {}).get(node, [])]
    if queue not in queues:
        raise UnhealthyError(f"does not consume from queue {queue}")
    return f"consumes from queue {queue}"


def check_sqs(url: str, queue: str, config: configparser.RawConfigParser) -> str:
    """The queue answers with the worker's credentials, and holds messages as long as the configuration says.

    A worker cannot be asked over SQS: only its process is checked.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from kombu import Connection

    # Who has no key in the URL has it by the worker's home, a profile or the machine's role.
    os.environ.update(environment(ENVIRONMENT.read_text()))
    section = "celery_broker_transport_options"
    options = {name: data(config, section, name) for name in ("predefined_queues", "client-config")}
    options.update(region=config.get(section, "region"), is_secure=config.getboolean(section, "is_secure"))
    try:
        with Connection(url, transport_options=options) as connection:
            client = connection.default_channel.sqs(queue)
            answer = client.get_queue_attributes(
                QueueUrl=options["predefined_queues"][queue]["url"],
                AttributeNames=["VisibilityTimeout", "ApproximateNumberOfMessages"],
            )["Attributes"]
    except (BotoCoreError, ClientError) as error:
        raise UnknownError(f"queue {queue} does not answer: {error}") from error
    held, wanted = int(answer["VisibilityTimeout"]), config.getint(section, "visibility_timeout")
    if held < wanted:
        # A restart would not help.
        raise UnknownError(
            f"queue {queue} gives a message to a second worker after {held} s; set its visibility timeout to {wanted} s"
        )
    return f"runs; queue {queue} answers, {answer['ApproximateNumberOfMessages']} messages wait"


def check_ticket(unit: str, config: configparser.RawConfigParser) -> str:
    """The ticket that tasks use is valid, and it is renewed."""
    main_pid(unit)
    cache = Path(config.get("kerberos", "ccache"))
    end = ticket_end(cache)
    valid = end is not None and end > datetime.datetime.now(datetime.UTC)
    if not end:
        ticket = "there is no ticket"
    else:
        ticket = f"the ticket {'is' if valid else 'was'} valid until {end:%Y-%m-%d %H:%M:%S} UTC"
    failure = cache.with_name("failure")
    if failure.exists():
        # It asks again. A restart would not help.
        raise UnknownError(f"{' '.join(failure.read_text().split())}; {ticket}")
    if not valid:
        raise UnhealthyError(ticket)
    age = max(time.time() - cache.stat().st_mtime, 0)
    limit = oldest_heartbeat("kerberos.reinit_frequency", config, environment(ENVIRONMENT.read_text()))
    if age > limit:
        raise UnhealthyError(f"{ticket}, and was not renewed for {age:.0f} s")
    return f"{ticket}, renewed {age:.0f} s ago"


def ticket_end(cache: Path) -> datetime.datetime | None:
    """When the ticket in ``cache`` that gets all others ends; None without one."""
    shown = subprocess.run(
        ["klist", "-c", str(cache)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
    ).stdout
    found = re.search(r"^\S+ \S+ +(\S+ \S+) +krbtgt/", shown, re.MULTILINE)
    return datetime.datetime.strptime(found[1], KLIST_TIME).replace(tzinfo=datetime.UTC) if found else None


def probes() -> dict[str, dict[str, str]]:
    """What each unit of this host is asked for."""
    return json.loads(PROBES.read_text()) if PROBES.exists() else {}


def environment(text: str) -> dict[str, str]:
    """Variables of a file that systemd and a shell read."""
    found = re.findall(r'^(\w+)="((?:\\.|[^"\\])*)"$', text, re.MULTILINE)
    return {name: re.sub(r"\\(.)", r"\1", value) for name, value in found}


def read_config() -> configparser.RawConfigParser:
    """airflow.cfg of this host."""
    config = configparser.RawConfigParser()
    config.read(CONFIG)
    return config


def check(unit: str, since: datetime.datetime | None = None) -> str:
    """One line about a healthy ``unit``, whose heartbeat, if it has one, is later than ``since``.

    Raises UnhealthyError or UnknownError.
    """
    try:
        return unit_state(unit, since)
    except (UnhealthyError, UnknownError):
        raise
    except Exception as problem:
        # Such as a broker that refuses a password which the service, started before, does not use.
        raise UnknownError(f"the check failed: {type(problem).__name__}: {problem}") from problem


def unit_state(unit: str, since: datetime.datetime | None) -> str:
    """As ``check``. Raises whatever goes wrong."""
    url = probes().get(unit, {}).get("probe")
    if url:
        return check_web(unit, url)
    if unit.startswith("airflow-worker@"):
        config = read_config()
        check_room(config)
        return check_worker(unit, config)
    if unit == "airflow-kerberos":
        return check_ticket(unit, read_config())
    if unit.startswith("airflow-"):
        state = check_process(unit, since)
        if unit in LOG_WRITERS:
            try:
                check_room(read_config())
            except NoRoomError as problem:
                # Unlike a worker, it does no harm, and a restart would not help.
                raise UnknownError(f"{state}; {problem}") from problem
        return state
    raise SystemExit(f"airflow-health: no check for {unit!r}")


@dataclasses.dataclass(frozen=True)
class Record:
    """What the watchdog knows of a service from one check to the next. Times in seconds."""

    # When, since the machine started, its main process then, and that one's start.
    at: float = 0.0
    process: str = ""
    began: float = 0.0
    # What each of its processes used of a processor and waited for one, since its start.
    shares: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    beat: str = ""
    # Whether this process has ever been healthy, and its failed checks in a row: all, and those since it last got
    # something done.
    well: bool = False
    failed: int = 0
    stuck: int = 0
    # How often the watchdog has restarted it since the machine started.
    restarts: int = 0


def record_of(unit: str) -> Record:
    """``unit`` now, as far as the kernel knows it: without a heartbeat and without failures."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    shown = subprocess.run(
        ["systemctl", "show", "--property=MainPID", "--value", f"{unit}.service"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    main = int(shown or 0)
    try:
        began = int(stat(main)[19]) / os.sysconf("SC_CLK_TCK")
        # What a worker's other processes do is the tasks' work.
        pids = [main] if unit.startswith("airflow-worker@") else family(main)
        return Record(at=now, process=f"{main} {began:.2f}", began=began, shares={str(pid): share(pid) for pid in pids})
    except UnhealthyError:
        return Record(at=now)


def family(main: int) -> list[int]:
    """``main`` and the processes below it."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(stat(int(folder.name))[1])
        except UnhealthyError:
            continue
    found = [main]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def share(pid: int) -> tuple[float, float]:
    """Seconds for which the main thread of process ``pid`` had a processor, and for which it waited for one.

    Stopped is not waiting.
    """
    try:
        used, waited, _slices = map(int, about(pid, "schedstat").split())
    except UnhealthyError:
        # It ended, or the kernel does not count.
        return 0.0, 0.0
    return used / 1e9, waited / 1e9


def progress(before: Record, now: Record) -> str:
    """What a service whose check failed got done between two checks; empty when that is nothing."""
    if before.beat and now.beat and before.beat != now.beat:
        return "its heartbeat moves"
    seconds = max(now.at - before.at, 0.001)
    grown = [
        [new - old for new, old in zip(after, before.shares.get(pid, (0.0, 0.0)), strict=True)]
        for pid, after in now.shares.items()
    ]
    used, waited = (max(column) / seconds for column in zip(*grown, strict=True)) if grown else (0.0, 0.0)
    if waited >= WAITED:
        return f"it waited for a processor {min(waited, 1):.0%} of the time"
    if not now.well and used >= STARTED:
        return f"it starts, with {min(used, 1):.0%} of a processor"
    return ""


def judge(before: Record, now: Record, failure: UnhealthyError | None) -> tuple[Record, str]:
    """The record that is kept after a check, and what the service got done although the check failed."""
    if failure is None:
        return dataclasses.replace(now, well=True), ""
    if now.process != before.process and now.process:
        # It has not done anything yet, and had less time.
        before = Record(at=now.began)
    now = dataclasses.replace(now, well=before.well, beat=failure.beat)
    done = progress(before, now)
    return dataclasses.replace(now, failed=before.failed + 1, stuck=0 if done else before.stuck + 1), done


def kept(path: Path) -> Record:
    """The record of the check before; an empty one when there is none, or one of another version of this program."""
    try:
        return Record(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return Record()


def keep(path: Path, record: Record) -> None:
    """Write ``record`` for the next check, and for metrics."""
    path.write_text(json.dumps(dataclasses.asdict(record)))


def check_in_time(unit: str) -> str:
    """``check``, or UnknownError when there is no result in time: a busy machine is no reason to restart what runs
    on it."""
    said: list[str] = []
    problems: list[Exception] = []

    def run() -> None:
        try:
            said.append(check(unit))
        except Exception as problem:
            problems.append(problem)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(WATCH_SECONDS)
    for problem in problems:
        raise problem
    if not said:
        raise UnknownError(f"no result within {WATCH_SECONDS} s")
    return said[0]


def watch(unit: str, failures: int) -> int:
    """Exit code for the watchdog: 1 when ``unit`` is to be restarted.

    At once when it does harm, after ``failures`` bad checks in a row when it got nothing done meanwhile, and else after
    ``SLOW_FACTOR`` times as many.
    """
    failure: UnhealthyError | None = None
    path = Path(os.environ.get("RUNTIME_DIRECTORY", "/run/airflow-watchdog")) / unit
    before = kept(path)
    try:
        print(f"{unit}: {check_in_time(unit)}")
    except UnknownError as problem:
        print(f"{unit}: {problem}")
        return 0
    except NoRoomError as problem:
        print(f"{unit}: {problem}")
        keep(path, dataclasses.replace(before, restarts=before.restarts + 1))
        return 1
    except UnhealthyError as problem:
        failure = problem
    now, done = judge(before, record_of(unit), failure)
    if failure:
        print(
            f"{unit}: {failure} "
            f"({f'slow: {done}; {now.failed} of {SLOW_FACTOR * failures}' if done else f'{now.stuck} of {failures}'})"
        )
    restart = now.stuck >= failures or now.failed >= SLOW_FACTOR * failures
    now = dataclasses.replace(now, restarts=before.restarts + restart)
    keep(path, dataclasses.replace(now, failed=0, stuck=0) if restart else now)
    return int(restart)


def wait(units: Iterable[str], seconds: float, since: datetime.datetime | None = None) -> int:
    """Check ``units`` until all are healthy or the time is over; 1 when one is not.

    What is healthy is not checked again.
    """
    deadline = time.monotonic() + seconds
    said: dict[str, str] = {}
    waiting = list(units)
    while waiting:
        for unit in list(waiting):
            try:
                said[unit] = check(unit, since)
                waiting.remove(unit)
            except (UnknownError, UnhealthyError) as problem:
                said[unit] = str(problem)
        if not waiting or time.monotonic() > deadline:
            break
        time.sleep(POLL_SECONDS)
    for unit, text in said.items():
        print(f"{unit}: {text}")
    return int(bool(waiting))


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="airflow-health", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "unit", nargs="+", help="name of a service, for example airflow-scheduler or airflow-worker@default"
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="how long to wait until all are healthy")
    mode.add_argument(
        "--watch", type=int, metavar="N", help="fail only at the Nth bad check in a row without any progress"
    )
    mode.add_argument(
        "--room", action="store_true", help="only whether there is room for logs, which a worker asks before it starts"
    )
    parser.add_argument(
        "--heartbeat-since-now",
        action="store_true",
        help="count only heartbeats from now on, as after an outage of the metastore",
    )
    arguments = parser.parse_args()
    if arguments.room:
        try:
            print(check_room(read_config()))
        except NoRoomError as problem:
            raise SystemExit(str(problem)) from problem
        return 0
    units = [unit.removesuffix(".service") for unit in arguments.unit]
    if arguments.watch:
        return max(watch(unit, arguments.watch) for unit in units)
    return wait(units, arguments.wait, datetime.datetime.now(datetime.UTC) if arguments.heartbeat_since_now else None)


if __name__ == "__main__":
    sys.exit(main())
