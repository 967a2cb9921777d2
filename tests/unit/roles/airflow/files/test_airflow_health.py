"""Parts of the health check that need no service."""

from __future__ import annotations

import configparser
import dataclasses
import datetime
import http.server
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render.environment import environment_file
from hypothesis import given
from hypothesis import strategies as st

PATH = Path(__file__).parents[5] / "roles/airflow/files/airflow_health.py"
SPEC = importlib.util.spec_from_file_location("airflow_health", PATH)
health = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = health
SPEC.loader.exec_module(health)
# The kernel counts in ticks.
TICK = datetime.timedelta(seconds=0.05)


def test_the_age_of_a_process_does_not_depend_on_the_time_of_the_check():
    before = datetime.datetime.now(datetime.UTC)
    with subprocess.Popen(["sleep", "30"]) as process:
        after = datetime.datetime.now(datetime.UTC)
        time.sleep(0.5)
        started = health.started_at(process.pid)
        process.kill()
    assert before - TICK <= started <= after + TICK


def test_a_process_may_have_a_name_with_spaces_and_parentheses(tmp_path):
    program = tmp_path / "a ) 1 ("
    program.symlink_to("/bin/sleep")
    before = datetime.datetime.now(datetime.UTC)
    with subprocess.Popen([program, "30"]) as process:
        started = health.started_at(process.pid)
        process.kill()
    assert before - TICK <= started <= datetime.datetime.now(datetime.UTC) + TICK


def test_a_process_that_has_just_ended_is_unhealthy():
    with subprocess.Popen(["true"]) as process:
        process.wait()
    with pytest.raises(health.UnhealthyError, match="just ended"):
        health.started_at(process.pid)


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z][A-Z_]{0,6}", fullmatch=True), st.from_regex(r"[ -~äß€]{0,12}", fullmatch=True), max_size=3
    )
)
def test_the_environment_of_the_services_is_read_as_it_was_written(variables):
    assert health.environment(f"# Managed\n{environment_file(variables)}") == variables


def test_a_worker_without_room_for_logs_is_stopped_at_once_and_starts_when_there_is_some(tmp_path, monkeypatch, capsys):
    (tmp_path / "airflow.cfg").write_text(f"[logging]\nbase_log_folder = {tmp_path}\n")
    monkeypatch.setattr(health, "CONFIG", tmp_path / "airflow.cfg")
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["airflow-health", "--room", "airflow-worker@default"])
    monkeypatch.setattr(health.os, "statvfs", lambda _folder: SimpleNamespace(f_bavail=4095, f_frsize=4096))
    assert health.watch("airflow-worker@default", 5) == 1
    assert health.kept(tmp_path / "airflow-worker@default").restarts == 1
    assert capsys.readouterr().out == f"airflow-worker@default: 15 MB are free in {tmp_path}, logs need 16\n"
    with pytest.raises(SystemExit, match="15 MB are free"):
        health.main()
    monkeypatch.setattr(health.os, "statvfs", lambda _folder: SimpleNamespace(f_bavail=4096, f_frsize=4096))
    assert health.main() == 0


@pytest.mark.parametrize(
    ("unit", "code"), [("airflow-dag-processor", 1), ("airflow-triggerer", 1), ("airflow-scheduler", 0)]
)
def test_what_writes_logs_without_room_is_not_healthy_and_not_restarted(unit, code, tmp_path, monkeypatch, capsys):
    (tmp_path / "airflow.cfg").write_text(f"[logging]\nbase_log_folder = {tmp_path}\n")
    monkeypatch.setattr(health, "CONFIG", tmp_path / "airflow.cfg")
    monkeypatch.setattr(health, "PROBES", tmp_path / "none")
    monkeypatch.setattr(health, "check_process", lambda _unit, _since: "heartbeat 1 s ago")
    monkeypatch.setattr(health, "record_of", lambda _unit: health.Record())
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(health.os, "statvfs", lambda _folder: SimpleNamespace(f_bavail=1, f_frsize=4096))
    assert (health.wait([unit], 0), health.watch(unit, 1)) == (code, 0)
    assert ("0 MB are free" in capsys.readouterr().out) == bool(code)


def test_data_of_the_configuration_have_their_percent_signs_back():
    config = configparser.RawConfigParser()
    config.read_string('[celery]\nextra_celery_config = {"broker_use_ssl": {"ca_certs": "/a%%20b"}}\n')
    assert health.data(config, "celery", "extra_celery_config") == {"broker_use_ssl": {"ca_certs": "/a%20b"}}
    assert health.data(config, "celery_broker_transport_options", "predefined_queues") == {}


@pytest.mark.parametrize(
    ("unit", "job"), [("airflow-scheduler", "SchedulerJob"), ("airflow-dag-processor", "DagProcessorJob")]
)
def test_a_job_has_the_name_that_airflow_gives_it(unit, job):
    assert health.job_type(unit) == job


def test_an_unknown_unit_is_refused():
    with pytest.raises(SystemExit, match="no check for 'nginx'"):
        health.check("nginx")


def test_a_check_that_breaks_restarts_nothing(monkeypatch, capsys):
    def fail(_unit, _since):
        raise RuntimeError("unexpected")

    monkeypatch.setattr(health, "unit_state", fail)
    assert (health.watch("airflow-scheduler", 1), health.wait(["airflow-scheduler"], seconds=0)) == (0, 1)
    assert capsys.readouterr().out == "airflow-scheduler: the check failed: RuntimeError: unexpected\n" * 2


def test_waiting_ends_when_the_last_service_is_healthy(monkeypatch, capsys):
    answers = {"airflow-scheduler": ["no heartbeat yet", "heartbeat 0 s ago"], "airflow-api-server": ["answers 200"]}
    asked = []

    def check(unit, _since):
        asked.append(unit)
        said = answers[unit].pop(0)
        if said.startswith("no"):
            raise health.UnhealthyError(said)
        return said

    monkeypatch.setattr(health, "check", check)
    monkeypatch.setattr(health, "POLL_SECONDS", 0)
    assert health.wait(answers, seconds=60) == 0
    assert asked == ["airflow-scheduler", "airflow-api-server", "airflow-scheduler"]
    assert capsys.readouterr().out == "airflow-scheduler: heartbeat 0 s ago\nairflow-api-server: answers 200\n"


def test_waiting_ends_with_what_is_missing(monkeypatch, capsys):
    def check(_unit, _since):
        raise health.UnknownError("the broker does not answer")

    monkeypatch.setattr(health, "check", check)
    assert health.wait(["airflow-worker@default"], seconds=0) == 1
    assert capsys.readouterr().out == "airflow-worker@default: the broker does not answer\n"


def moments(*ages):
    """The moments that many seconds ago."""
    now = datetime.datetime.now(datetime.UTC)
    return [now - datetime.timedelta(seconds=age) for age in ages]


@pytest.mark.parametrize(
    ("began", "beat", "started", "since", "problem"),
    [
        (90, 61, 92, None, "last heartbeat 61 s ago"),
        (95, 3, 92, None, "no heartbeat yet since its start"),
        (90, 3, 92, 2, "no heartbeat since ..:..:.. UTC"),
    ],
)
def test_a_heartbeat_is_of_this_process_fresh_and_later_than_asked(began, beat, started, since, problem):
    with pytest.raises(health.UnhealthyError, match=problem):
        health.check_heartbeat(moments(began, beat), *moments(started), since and moments(since)[0], 60)


def test_a_service_has_recovered_with_the_first_heartbeat_after_the_outage():
    assert health.check_heartbeat(moments(90, 3), *moments(92, 4), 60) == "heartbeat 3 s ago"
    assert health.check_heartbeat(moments(93, 3), *moments(92), None, 60) == "heartbeat 3 s ago"


@pytest.mark.parametrize(
    ("interval", "options", "variables", "oldest"),
    [
        ("scheduler.scheduler_heartbeat_sec", {}, {}, 60),
        ("scheduler.scheduler_heartbeat_sec", {"scheduler_heartbeat_sec": 5, "job_heartbeat_sec": 120}, {}, 60),
        ("scheduler.scheduler_heartbeat_sec", {"scheduler_heartbeat_sec": 50}, {}, 150),
        ("scheduler.job_heartbeat_sec", {"job_heartbeat_sec": 30.5}, {}, 91.5),
        (
            "scheduler.job_heartbeat_sec",
            {"job_heartbeat_sec": 30},
            {"AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "40"},
            120,
        ),
    ],
)
def test_three_heartbeats_fit_into_the_oldest_age(interval, options, variables, oldest):
    config = configparser.RawConfigParser()
    config.read_dict({"scheduler": options})
    assert health.oldest_heartbeat(interval, config, variables) == oldest


UNIT = "airflow-api-server"
FROZEN = "import os, signal; print(flush=True); os.kill(os.getpid(), signal.SIGSTOP)"
BUSY = "print(flush=True)\nwhile True: pass"
WAITING = "import signal; print(flush=True); signal.pause()"


@pytest.fixture
def port(tmp_path, monkeypatch):
    """Where connections are taken, but nothing answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        (tmp_path / "probes.json").write_text(
            json.dumps({UNIT: {"probe": f"http://127.0.0.1:{server.getsockname()[1]}/"}})
        )
        monkeypatch.setattr(health, "PROBES", tmp_path / "probes.json")
        monkeypatch.setattr(health, "ANSWER_SECONDS", 0.2)
        yield


@pytest.fixture
def service(tmp_path, monkeypatch):
    """Starts a program as the main process of the service; systemctl knows no other one."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    processes = []

    def start(program, processors=frozenset()):
        process = subprocess.Popen([sys.executable, "-S", "-c", program], stdout=subprocess.PIPE)
        processes.append(process)
        os.sched_setaffinity(process.pid, processors or os.sched_getaffinity(0))
        shown = f"ActiveState=active\\nSubState=running\\nMainPID={process.pid}\\n"
        systemctl = tmp_path / "systemctl"
        systemctl.write_text(f"#!/bin/sh\ncase $* in *--value*) echo {process.pid} ;; *) printf '{shown}' ;; esac\n")
        systemctl.chmod(0o755)
        # Its own start is over.
        process.stdout.readline()
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


class Answers(http.server.BaseHTTPRequestHandler):
    """A webserver that knows one path."""

    known = "/a/b/api/v2/version"

    def do_GET(self):
        self.send_response(200 if self.path == self.known else 404)
        self.end_headers()


class SixServer(http.server.HTTPServer):
    """A server that listens on IPv6 alone, as an api-server that is bound to ::."""

    address_family = socket.AF_INET6

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().server_bind()


@pytest.mark.parametrize(
    ("kind", "address", "local"), [(http.server.HTTPServer, "127.0.0.1", "127.0.0.1"), (SixServer, "::", "[::1]")]
)
def test_a_webserver_is_asked_where_it_listens_below_the_path_of_its_url(
    service, tmp_path, monkeypatch, kind, address, local
):
    with kind((address, 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        probes = tmp_path / "probes.json"
        monkeypatch.setattr(health, "PROBES", probes)
        service(WAITING)
        url = f"http://{local}:{server.server_address[1]}"
        probes.write_text(json.dumps({UNIT: {"probe": f"{url}/a/b/api/v2/version"}}))
        assert health.check(UNIT) == "answers 200"
        probes.write_text(json.dumps({UNIT: {"probe": f"{url}/api/v2/version"}}))
        with pytest.raises(health.UnhealthyError, match="404"):
            health.check(UNIT)
        server.shutdown()


def state_of(process):
    return health.stat(process.pid)[0]


def until(condition):
    """Return when ``condition`` holds."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def well(path):
    """The service of that record has been healthy."""
    path.write_text(json.dumps({**dataclasses.asdict(health.record_of(UNIT)), "well": True}))


@pytest.mark.usefixtures("port")
@pytest.mark.parametrize(("program", "state"), [(FROZEN, "T"), (WAITING, "S")])
def test_a_service_that_is_frozen_or_hangs_is_restarted_after_so_many_bad_checks(
    service, tmp_path, capsys, program, state
):
    process = service(program)
    until(lambda: state_of(process) == state)
    well(tmp_path / UNIT)
    assert [health.watch(UNIT, 3) for _ in range(4)] == [0, 0, 1, 0]
    assert "(3 of 3)" in capsys.readouterr().out


@pytest.mark.usefixtures("port")
def test_a_service_that_waits_for_a_processor_has_more_time_but_not_for_ever(service, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(health, "SLOW_FACTOR", 2)
    # The kernel counts a wait when it ends: on a busy machine one may be longer than the other tests' checks.
    monkeypatch.setattr(health, "ANSWER_SECONDS", 1.0)
    one = {min(os.sched_getaffinity(0))}
    for _ in range(4):
        service(BUSY, one)
    well(tmp_path / UNIT)
    assert [health.watch(UNIT, 1) for _ in range(2)] == [0, 1]
    assert "slow: it waited for a processor" in capsys.readouterr().out


@pytest.mark.usefixtures("port")
def test_a_service_that_starts_has_more_time_as_long_as_it_uses_a_processor(service, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(health, "WAITED", 2)
    # However little this machine has for it.
    monkeypatch.setattr(health, "STARTED", 0.001)
    process = service(BUSY)
    assert [health.watch(UNIT, 1) for _ in range(2)] == [0, 0]
    assert "slow: it starts" in capsys.readouterr().out
    well(tmp_path / UNIT)
    assert health.watch(UNIT, 1) == 1
    process.send_signal(signal.SIGSTOP)
    until(lambda: state_of(process) == "T")
    (tmp_path / UNIT).write_text(json.dumps(dataclasses.asdict(health.record_of(UNIT))))
    assert health.watch(UNIT, 1) == 1


def test_only_bad_checks_in_a_row_of_one_process_count():
    failure, kept, counts = health.UnhealthyError("bad"), health.Record(), []
    for process, outcome in [
        ("1", failure),
        ("1", failure),
        ("1", None),
        ("1", failure),
        ("1", failure),
        ("2", failure),
        ("", failure),
    ]:
        kept, _done = health.judge(kept, health.Record(at=60, process=process, began=10), outcome)
        counts.append((kept.stuck, kept.failed, kept.well))
    assert counts == [
        (1, 1, False),
        (2, 2, False),
        (0, 0, True),
        (1, 1, True),
        (2, 2, True),
        # Another process is not held to what the one before did not do; one that is away is.
        (1, 1, False),
        (2, 2, False),
    ]


def test_a_heartbeat_that_is_late_but_moves_is_slow():
    def late(seconds):
        failure = health.UnhealthyError("late")
        failure.beat = str(seconds)
        return failure

    kept, stuck = health.Record(), []
    for number, beat in enumerate([1, 1, 2, 2, 2, 3]):
        kept, _done = health.judge(kept, health.Record(at=60 * number, process="7 1"), late(beat))
        stuck.append(kept.stuck)
    assert (stuck, kept.failed) == ([1, 2, 0, 1, 2, 0], 6)
    with pytest.raises(health.UnhealthyError) as caught:
        health.check_heartbeat(moments(90, 61), *moments(92), None, 60)
    assert datetime.datetime.fromisoformat(caught.value.beat).tzinfo


def test_the_processes_of_a_service_are_all_below_its_main_one(service):
    program = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', 'import subprocess, sys; {WAITING}'])"
    )
    main = service(program)
    until(lambda: len(health.family(main.pid)) == 2)
    child = health.family(main.pid)[1]
    assert set(health.record_of(UNIT).shares) == {str(main.pid), str(child)}
    # What its tasks do says nothing of a worker.
    assert set(health.record_of("airflow-worker@default").shares) == {str(main.pid)}
    os.kill(child, signal.SIGKILL)


def test_a_record_that_another_version_left_is_none(tmp_path):
    for text in ("3", "", '{"unknown": 1}'):
        (tmp_path / UNIT).write_text(text)
        assert health.kept(tmp_path / UNIT) == health.Record()


def test_an_absent_metastore_is_not_counted(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    errors = [health.UnhealthyError, health.UnhealthyError, health.UnknownError, health.UnhealthyError]

    def check(_unit):
        raise errors.pop(0)("away")

    monkeypatch.setattr(health, "check", check)
    assert [health.watch("airflow-scheduler", 3) for _ in range(4)] == [0, 0, 0, 1]


def test_the_watchdog_does_not_act_when_the_machine_is_too_busy_for_a_check(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(health, "WATCH_SECONDS", 0.1)
    monkeypatch.setattr(health, "check", lambda _unit: time.sleep(30))
    assert [health.watch("airflow-scheduler", 1) for _ in range(2)] == [0, 0]
    assert capsys.readouterr().out == "airflow-scheduler: no result within 0.1 s\n" * 2


@pytest.mark.parametrize(
    ("state", "problem"),
    [("deactivating", health.UnknownError), ("inactive", health.UnknownError), ("failed", health.UnhealthyError)],
)
def test_a_service_that_is_being_stopped_is_not_restarted_and_one_that_failed_is(monkeypatch, state, problem):
    shown = SimpleNamespace(stdout=f"ActiveState={state}\nSubState=dead\nMainPID=0\n")
    monkeypatch.setattr(subprocess, "run", lambda *_arguments, **_options: shown)
    with pytest.raises(problem, match=state):
        health.main_pid("airflow-scheduler")


def test_moments_of_mysql_have_no_zone_and_are_universal():
    naive = datetime.datetime(2026, 1, 2, 3, 4, 5)
    assert health.utc(naive) == naive.replace(tzinfo=datetime.UTC)
    east = naive.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    assert health.utc(east) is east


STATE = {"pid": 0, "summary": "standby, m1 is the leader", "unhealthy": "", "unknown": ""}


@pytest.fixture
def wrapper(tmp_path, monkeypatch):
    """Writes the state of the program that runs Airflow as its child."""
    path = tmp_path / "airflow-scheduler/state.json"
    path.parent.mkdir()
    monkeypatch.setattr(health, "RUN", tmp_path)
    monkeypatch.setattr(health, "WRAPPERS", "python")
    monkeypatch.setattr(health, "main_pid", lambda _unit: os.getpid())
    monkeypatch.setattr(health, "check_job", lambda _unit, pid, _since: f"heartbeat of {pid}")
    return lambda **changes: path.write_text(json.dumps({**STATE, **changes}))


def test_a_process_without_a_wrapper_has_the_heartbeat_of_its_unit(wrapper, monkeypatch):
    wrapper(unknown="what a wrapper left behind")
    monkeypatch.setattr(health, "WRAPPERS", "/usr/local/sbin/flightdeck-")
    assert health.check("airflow-scheduler") == f"heartbeat of {os.getpid()}"


@pytest.mark.usefixtures("wrapper")
def test_a_wrapper_without_a_state_is_unhealthy():
    with pytest.raises(health.UnhealthyError, match="not begun"):
        health.check("airflow-scheduler")


def test_the_heartbeat_is_that_of_the_wrappers_child(wrapper):
    wrapper(pid=42, summary="epoch 7", unknown="no answer within 4 s")
    assert health.check("airflow-scheduler") == "heartbeat of 42, epoch 7"


def test_without_a_child_the_wrapper_says_whether_the_host_is_healthy(wrapper):
    wrapper()
    assert health.check("airflow-scheduler") == "standby, m1 is the leader"
    wrapper(unhealthy="no scheduler is active")
    with pytest.raises(health.UnhealthyError, match="no scheduler is active"):
        health.check("airflow-scheduler")
    wrapper(unknown="no answer within 4 s")
    with pytest.raises(health.UnknownError, match="no answer"):
        health.check("airflow-scheduler")


KLIST = """Ticket cache: FILE:/run/airflow-kerberos/ccache
Default principal: airflow@EXAMPLE.ORG

Valid starting     Expires            Service principal
{start}  {end}  krbtgt/EXAMPLE.ORG@EXAMPLE.ORG
\trenew until 01/01/70 00:00:00
{start}  01/01/70 00:00:00  HTTP/web@EXAMPLE.ORG
"""


@pytest.fixture
def renewer(tmp_path, monkeypatch):
    """Sets what klist says of the ticket, how old it is, and why the last attempt failed."""

    def state(lives=None, age=0.0, failure=""):
        now = datetime.datetime.now(datetime.UTC)
        cache = tmp_path / "ccache"
        cache.touch()
        os.utime(cache, (time.time() - age,) * 2)
        if failure:
            (tmp_path / "failure").write_text(failure)
        said = ""
        if lives is not None:
            end = now + datetime.timedelta(seconds=lives)
            said = KLIST.format(start=now.strftime(health.KLIST_TIME), end=end.strftime(health.KLIST_TIME))
        monkeypatch.setattr(health.subprocess, "run", lambda *_args, **_options: SimpleNamespace(stdout=said))
        config = configparser.RawConfigParser()
        config.read_dict({"kerberos": {"ccache": str(cache), "reinit_frequency": "100"}})
        return health.check_ticket("airflow-kerberos", config)

    (tmp_path / "environment").write_text("")
    monkeypatch.setattr(health, "ENVIRONMENT", tmp_path / "environment")
    monkeypatch.setattr(health, "main_pid", lambda _unit: 1)
    return state


def test_a_ticket_that_is_renewed(renewer):
    assert "the ticket is valid until" in renewer(lives=500, age=90)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({}, "there is no ticket"),
        ({"lives": -20}, "the ticket was valid until"),
        # Three times the time between two renewals.
        ({"lives": 500, "age": 310}, "was not renewed for 310 s"),
    ],
)
def test_a_renewer_that_does_nothing(renewer, state, said):
    with pytest.raises(health.UnhealthyError, match=said):
        renewer(**state)


@pytest.mark.parametrize(("lives", "said"), [(None, "there is no ticket"), (500, "is valid"), (-20, "was valid")])
def test_a_kdc_without_an_answer_is_no_reason_for_a_restart(renewer, lives, said):
    with pytest.raises(health.UnknownError, match=f"Cannot contact any KDC; .*{said}"):
        renewer(lives=lives, failure="kinit: Cannot contact\nany KDC\n")


@pytest.fixture
def psycopg2(monkeypatch):
    """As much of the driver as is used: what it was asked, and what it answers or raises."""
    seen = SimpleNamespace(asked=[], answer=("began", "beat"), error=None)

    class Error(Exception):
        pass

    class ProgrammingError(Error):
        pass

    class Session:
        def close(self):
            seen.asked.append("closed")

        def cursor(self):
            return self

        def __enter__(self):
            return self

        def __exit__(self, *_reason):
            return None

        def execute(self, query, values):
            seen.asked.append((query, values))

        def fetchone(self):
            return seen.answer

    def connect(url):
        seen.asked.append(url)
        if seen.error:
            raise getattr(module, seen.error)("what it says")
        return Session()

    module = ModuleType("psycopg2")
    module.Error, module.ProgrammingError, module.connect = Error, ProgrammingError, connect
    monkeypatch.setitem(sys.modules, "psycopg2", module)
    # Where it is needed all the same, its import says so.
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    return seen


URL = "postgresql+psycopg2://airflow:a%2Fb@10.0.0.1:5000/airflow?sslmode=verify-full"


def test_postgresql_is_asked_without_sqlalchemy(psycopg2):
    assert health.job_row(URL, "SchedulerJob", "10.0.0.2") == ("began", "beat")
    url, (query, values), closed = psycopg2.asked
    assert url == "postgresql://airflow:a%2Fb@10.0.0.1:5000/airflow?sslmode=verify-full"
    assert query.count("%(type)s") == query.count("%(host)s") == 1
    assert " :" not in query
    assert values == {"type": "SchedulerJob", "host": "10.0.0.2"}
    assert closed == "closed"


def test_there_may_be_no_job(psycopg2):
    psycopg2.answer = None
    assert health.job_row(URL, "SchedulerJob", "10.0.0.2") is None


def test_a_metastore_without_an_answer_is_no_reason_to_restart(psycopg2):
    psycopg2.error = "Error"
    with pytest.raises(health.UnknownError, match="does not answer"):
        health.job_row(URL, "SchedulerJob", "10.0.0.2")


@pytest.mark.parametrize(
    ("url", "error"), [(URL, "ProgrammingError"), ("mysql+mysqldb://airflow:x@10.0.0.1/airflow", None)]
)
def test_what_the_driver_does_not_know_sqlalchemy_is_asked_for(psycopg2, url, error):
    psycopg2.error = error
    with pytest.raises(ImportError, match="sqlalchemy"):
        health.job_row(url, "SchedulerJob", "10.0.0.2")
