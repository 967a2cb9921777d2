"""One rule for every service: it restarts when the digest of what its process has read differs from that on disk."""

from __future__ import annotations

import base64
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _systemd
from ansible_collections.flightdeck.airflow.plugins.modules import service

REDIS = "redis-server.service"
WORKERS = ["airflow-worker@*.service"]
DEFAULT, GPU, SCHEDULER, API = (
    "airflow-worker@default.service",
    "airflow-worker@gpu.service",
    "airflow-scheduler.service",
    "airflow-api-server.service",
)


def backing(host, **more):
    """A service of a package."""
    return host.run(
        "service",
        name=REDIS,
        restart_on=[str(host.etc / "redis.conf")],
        reload_on=[str(host.etc / "server.crt")],
        **more,
    )


@pytest.fixture
def redis(host):
    """One that runs with what is on disk."""
    host.write("redis.conf")
    host.write("server.crt")
    host.add(REDIS, active=False, enabled=False)
    backing(host)
    host.commands()
    return host


def test_a_service_is_enabled_and_started_once(host):
    host.write("redis.conf")
    host.add(REDIS, active=False, enabled=False)
    before = backing(host, check=True)
    assert (before["changed"], host.commands(), list(host.system.iterdir())) == (True, [], [])
    first = backing(host)
    assert host.commands() == ["daemon-reload", f"enable --quiet {REDIS}", f"start {REDIS}"]
    assert (first["changed"], first["actions"], first["stale"]) == (
        True,
        ["daemon-reload", f"enable {REDIS}", f"start {REDIS}"],
        [],
    )
    assert before["actions"] == first["actions"]
    second = backing(host)
    assert (second["changed"], host.commands()) == (False, [])


def test_only_a_digest_that_differs_restarts(redis):
    path = redis.write("redis.conf")
    # The clock was put back, or the file was written again.
    for moment in (0, 2**31):
        os.utime(path, (moment, moment))
        assert not backing(redis)["changed"]
    redis.write("redis.conf", "two\n")
    assert backing(redis)["actions"] == [f"restart {REDIS}"]
    assert redis.commands() == [f"restart {REDIS}"]
    assert not backing(redis)["changed"]
    # Back again, to what an earlier process has read.
    redis.write("redis.conf", "one\n")
    assert backing(redis)["actions"] == [f"restart {REDIS}"]


def test_systemd_reads_the_timer_of_a_health_check_again(redis):
    (redis.system / "watchdog.timer").write_text("[Timer]\nOnActiveSec=1\n")
    redis.add("watchdog.timer")
    assert not backing(redis, companions=["watchdog.timer"])["changed"]
    (redis.system / "watchdog.timer").write_text("[Timer]\nOnActiveSec=2\n")
    assert not backing(redis)["changed"]
    assert backing(redis, companions=["watchdog.timer"])["actions"] == ["daemon-reload"]
    assert not backing(redis, companions=["watchdog.timer"])["changed"]


def test_what_a_reload_reads_restarts_nothing(redis):
    redis.write("server.crt", "two\n")
    assert backing(redis)["actions"] == [f"reload {REDIS}"]
    assert not backing(redis)["changed"]
    # A restart reads everything.
    redis.write("server.crt", "three\n")
    redis.write("redis.conf", "three\n")
    assert backing(redis)["actions"] == [f"restart {REDIS}"]
    assert not backing(redis)["changed"]


def test_a_file_that_goes_is_a_change(redis):
    (redis.etc / "redis.conf").unlink()
    assert backing(redis)["actions"] == [f"restart {REDIS}"]


def test_a_restart_that_failed_happens_in_the_next_run(redis):
    redis.write("redis.conf", "two\n")
    redis.monkeypatch.setenv("FAKE_FAILURE", REDIS)
    refused = backing(redis)
    assert refused["failed"]
    assert "restart redis-server.service failed" in refused["msg"]
    assert "--unit=" in refused["msg"]
    redis.monkeypatch.delenv("FAKE_FAILURE")
    redis.commands()
    assert backing(redis)["actions"] == [f"restart {REDIS}"]


def test_a_process_that_systemd_started_again_has_read_what_is_on_disk(redis):
    # The run ended when the new digest was written.
    redis.write("redis.conf", "two\n")
    redis.monkeypatch.setenv("FAKE_FAILURE", REDIS)
    backing(redis)
    redis.monkeypatch.delenv("FAKE_FAILURE")
    redis.systemd("restart", REDIS)
    assert not backing(redis)["changed"]


def test_a_reload_by_hand_is_recorded(redis):
    redis.write("server.crt", "two\n")
    redis.monkeypatch.setenv("FAKE_FAILURE", REDIS)
    backing(redis)
    redis.monkeypatch.delenv("FAKE_FAILURE")
    redis.systemd("reload", REDIS)
    assert not backing(redis)["changed"]


def test_a_service_that_was_started_without_a_record_is_restarted_once(host):
    host.write("redis.conf")
    host.add(REDIS)
    assert backing(host)["actions"] == ["daemon-reload", f"restart {REDIS}"]
    assert not backing(host)["changed"]


def test_a_drop_in_that_systemd_did_not_notice_is_read(host):
    """A run was killed when it had written the first drop-in of a running unit."""
    host.write("redis.conf")
    host.add(REDIS)
    (host.system / f"{REDIS}.d").mkdir()
    (host.system / f"{REDIS}.d" / _systemd.DROP_IN).write_text(_systemd.drop_in(reloads=True))
    host.monkeypatch.setenv("FAKE_UNNOTICED", "1")
    assert backing(host)["actions"] == ["daemon-reload", f"restart {REDIS}"]
    assert not backing(host)["changed"]


def test_a_process_that_hangs_in_its_start_with_old_settings_is_restarted(redis):
    redis.change(REDIS, ActiveState="activating")
    assert backing(redis)["actions"] == [f"start {REDIS}"]
    redis.change(REDIS, ActiveState="activating")
    redis.write("redis.conf", "two\n")
    assert backing(redis, restart=False)["actions"] == [f"restart {REDIS}"]
    redis.change(REDIS, ActiveState="deactivating")
    redis.write("redis.conf", "three\n")
    assert backing(redis)["actions"] == [f"start {REDIS}"]


@pytest.mark.parametrize(
    ("file", "verb", "hook"), [("redis.conf", "restart", "ExecStartPre"), ("server.crt", "reload", "ExecReload")]
)
def test_a_service_whose_settings_systemd_does_not_record_is_reported(redis, file, verb, hook):
    loaded = redis.units()[REDIS]["loaded"]
    redis.change(REDIS, loaded=loaded.replace(hook, "#"))
    redis.monkeypatch.setenv("FAKE_UNNOTICED", "1")
    said = []
    redis.monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: said.append(text))
    redis.write(file, "two\n")
    assert backing(redis)["actions"] == [f"{verb} {REDIS}"]
    assert [f"the next run would {verb} it again" in text for text in said] == [True]
    redis.change(REDIS, loaded=loaded)
    backing(redis)
    assert len(said) == 1


def test_the_drop_in_comes_after_those_of_operators():
    assert max("airflow.conf", "override.conf", _systemd.DROP_IN) == _systemd.DROP_IN


def test_a_restart_can_be_left_to_another_task_that_waits_for_its_moment(redis):
    redis.write("redis.conf", "two\n")
    redis.write("server.crt", "two\n")
    found = backing(redis, restart=False)
    assert (found["changed"], found["stale"], found["actions"]) == (True, [REDIS], [f"reload {REDIS}"])
    found = backing(redis, restart=False)
    assert (found["changed"], found["stale"], found["actions"]) == (True, [REDIS], [])
    refused = backing(redis, restart_when=["sh", "-c", "echo one is down; exit 1"], timeout=0)
    assert refused["failed"]
    assert "was not restarted" in refused["msg"]
    assert "one is down" in refused["msg"]
    redis.commands()
    assert backing(redis, restart_when=["true"])["actions"] == [f"restart {REDIS}"]
    assert not backing(redis, restart_when=["false"])["changed"]


def test_of_a_drop_in_only_what_a_process_is_started_with_restarts(redis):
    folder = redis.system / f"{REDIS}.d"
    arguments = {"name": REDIS, "restart_on": [str(folder / "airflow.conf")]}

    def written(text):
        (folder / "airflow.conf").write_text(text)
        return redis.run("service", **arguments)["actions"]

    written("[Unit]\nA=1\n[Service]\n# Why.\nRestart=always\nLimitNOFILE=1\n")
    assert written("[Unit]\nA=2\n[Service]\n# Because.\nRestart=no\nLimitNOFILE=1\n") == ["daemon-reload"]
    assert written("[Service]\nLimitNOFILE=2\n") == ["daemon-reload", f"restart {REDIS}"]


def test_digests_say_nothing_to_other_accounts(redis):
    digests = [*(redis.system / f"{REDIS}.d").glob("*.digest"), *(redis.folder / "run" / REDIS).iterdir()]
    assert len(digests) == 4
    assert {path.stat().st_mode & 0o777 for path in digests} == {0o600}


def test_check_mode_foresees_what_files_of_tasks_before_mean(redis):
    def foreseen(*names):
        return backing(redis, check=True, pending=[str(redis.etc / name) for name in names])["actions"]

    assert foreseen() == []
    assert foreseen("other.conf") == []
    assert foreseen("server.crt") == [f"reload {REDIS}"]
    assert foreseen("redis.conf", "server.crt") == [f"restart {REDIS}"]
    assert redis.commands() == []


def test_a_package_that_is_missing_is_reported(host):
    host.write("redis.conf")
    refused = backing(host)
    assert "systemd does not know redis-server.service; is its package installed?" in refused["msg"]
    host.commands()
    assert backing(host, check=True)["actions"][-2:] == [f"enable {REDIS}", f"start {REDIS}"]
    assert host.commands() == []


def test_a_timer_is_read_again_with_its_service_and_runs_no_hooks(host):
    for name in ("watchdog.timer", "watchdog.service"):
        (host.system / name).write_text("[Unit]\n")
        host.add(name, active=name.endswith("timer"))
    assert not host.run("service", name="watchdog.timer")["changed"]
    (host.system / "watchdog.service").write_text("[Service]\nExecStart=/bin/true\n")
    assert host.run("service", name="watchdog.timer")["actions"] == ["daemon-reload"]
    assert not host.run("service", name="watchdog.timer")["changed"]
    assert sorted(path.name for path in host.system.iterdir()) == ["watchdog.service", "watchdog.timer"]


def deploy(host, unit, command="run", digest="one", check=False, **more):
    """A unit of ours, as the roles of the components deploy it."""
    content = base64.b64encode(f"[Service]\nExecStart={command}\n[Install]\n".encode()).decode()
    arguments = {"units": WORKERS, "keep": [unit], "restart": False, **more}
    return host.run("service", check=check, name=unit, content=content, digest=digest, **arguments)


@pytest.fixture
def workers(host):
    """Two that run as they were deployed, beside a scheduler."""
    deploy(host, SCHEDULER, units=[SCHEDULER])
    for unit in (DEFAULT, GPU):
        deploy(host, unit, keep=[DEFAULT, GPU])
    host.commands()
    return host


def files(host):
    return {path.name: path.read_text() for path in host.system.iterdir() if path.is_file()}


def test_a_new_unit_is_written_enabled_and_started(host):
    assert len(deploy(host, DEFAULT, check=True)["diff"]) == 3
    assert (host.commands(), files(host)) == ([], {})
    deploy(host, DEFAULT)
    assert host.commands() == ["daemon-reload", f"enable --quiet {DEFAULT}", f"start {DEFAULT}"]
    assert "ExecStart=run" in files(host)[DEFAULT]
    assert not deploy(host, DEFAULT)["changed"]


@pytest.mark.parametrize("change", [{"command": "walk"}, {"digest": "two"}])
def test_a_running_unit_is_written_and_left_to_its_restart(workers, change):
    found = deploy(workers, DEFAULT, keep=[DEFAULT, GPU], **change)
    assert (found["changed"], found["stale"]) == (True, [DEFAULT])
    assert workers.commands() == (["daemon-reload"] if "command" in change else [])
    # Nothing is left to do but the restart, which the run before may not have come to.
    found = deploy(workers, DEFAULT, keep=[DEFAULT, GPU], **change)
    assert (found["changed"], found["stale"], found["actions"]) == (True, [DEFAULT], [])
    assert workers.run("service", units=WORKERS, state="started")["stale"] == [DEFAULT]


def test_a_line_that_concerns_no_process_restarts_none(workers):
    ignored = {"ignored_lines": ["Hide="], "keep": [DEFAULT, GPU]}
    assert deploy(workers, DEFAULT, command="run\nHide=secret", **ignored)["stale"] == []
    assert deploy(workers, DEFAULT, command="run\nSee=secret", **ignored)["stale"] == [DEFAULT]


def test_a_deployed_unit_takes_the_place_of_its_siblings(workers):
    deploy(workers, DEFAULT)
    assert workers.commands() == [f"disable --quiet {GPU}", f"stop {GPU}", "daemon-reload"]
    assert set(files(workers)) == {DEFAULT, SCHEDULER}
    assert sorted(path.name for path in workers.system.glob("*.d")) == [f"{SCHEDULER}.d", f"{DEFAULT}.d"]
    assert sorted(path.name for path in (workers.folder / "run").iterdir()) == [SCHEDULER, DEFAULT]


def test_what_is_stopped_and_started_again_keeps_its_file(workers):
    before = files(workers)
    found = workers.run("service", units=WORKERS, state="stopped")
    # Not at boot, and that before the drain.
    assert workers.commands() == [f"disable --quiet {DEFAULT} {GPU}", f"stop {DEFAULT} {GPU}"]
    assert (found["changed"], found["stale"]) == (True, [])
    assert not workers.run("service", units=WORKERS, state="stopped")["changed"]
    assert workers.run("service", units=WORKERS, state="started")["stale"] == []
    assert workers.commands() == [f"enable --quiet {DEFAULT} {GPU}", f"start {DEFAULT} {GPU}"]
    assert not workers.run("service", units=WORKERS, state="started")["changed"]
    assert files(workers) == before


def test_a_worker_that_still_drains_is_waited_for(workers):
    workers.change(DEFAULT, ActiveState="deactivating", UnitFileState="disabled")
    workers.run("service", units=[DEFAULT], state="stopped")
    assert workers.commands() == [f"stop {DEFAULT}"]


@pytest.mark.parametrize("check", [False, True])
def test_nothing_can_be_started_where_nothing_was_deployed(host, check):
    refused = host.run("service", check=check, units=WORKERS, state="started")
    assert "found no such unit; expected a host that was deployed" in refused["msg"]
    assert not host.run("service", check=check, units=WORKERS, state="stopped")["changed"]
    assert (host.commands(), files(host)) == ([], {})


def test_what_is_to_go_stops_together(workers):
    assert workers.run("service", check=True, units=[GPU, DEFAULT], state="absent")["changed"]
    assert set(files(workers)) == {DEFAULT, GPU, SCHEDULER}
    workers.run("service", units=[GPU, DEFAULT], state="absent")
    assert workers.commands() == [f"disable --quiet {DEFAULT} {GPU}", f"stop {DEFAULT} {GPU}", "daemon-reload"]
    assert set(files(workers)) == {SCHEDULER}
    assert not workers.run("service", units=[GPU, DEFAULT], state="absent")["changed"]


@pytest.fixture
def airflow(host, monkeypatch):
    """Services of which the scheduler runs with old settings."""
    for unit in (API, SCHEDULER, DEFAULT):
        deploy(host, unit, units=[unit])
    deploy(host, SCHEDULER, units=[SCHEDULER], digest="two")
    # A template and what others have deployed are none of them.
    (host.system / "airflow-watchdog@.service").write_text("[Service]\n")
    host.commands()
    monkeypatch.setattr(service, "HEALTH", str(host.folder / "bin/airflow-health"))
    return host


def test_what_needs_no_restart_is_only_waited_for(airflow):
    found = airflow.run("service", units=["airflow-*.service"], state="healthy")
    assert (found["changed"], found["stale"]) == (False, [SCHEDULER])
    assert airflow.commands() == [f"health --wait=600 {API} {DEFAULT}"]


def test_what_runs_with_old_settings_is_restarted_and_waited_for(airflow):
    assert airflow.run("service", check=True, units=[SCHEDULER], state="restarted")["actions"] == [
        f"restart {SCHEDULER}"
    ]
    found = airflow.run("service", units=[SCHEDULER, API], state="restarted")
    assert (found["changed"], found["stale"]) == (True, [])
    assert airflow.commands() == [f"restart {SCHEDULER}", f"health --wait=600 {SCHEDULER}"]
    assert not airflow.run("service", units=[SCHEDULER], state="restarted")["changed"]
    assert airflow.commands() == []


def test_one_that_is_about_to_start_again_is_restarted_and_one_that_was_stopped_is_not(airflow):
    airflow.change(SCHEDULER, ActiveState="inactive", MainPID="0")
    airflow.change(API, ActiveState="activating", MainPID="0")
    airflow.change(DEFAULT, ActiveState="failed", MainPID="0")
    airflow.run("service", units=["airflow-*.service"], state="restarted")
    assert airflow.commands()[0] == f"restart {API} {DEFAULT}"


def test_after_an_outage_only_new_heartbeats_count_and_no_worker_that_drains_is_waited_for(airflow):
    airflow.change(DEFAULT, ActiveState="deactivating")
    found = airflow.run("service", units=["airflow-*.service"], state="healthy", require_heartbeat_since_now=True)
    assert not found["changed"]
    assert airflow.commands() == [f"health --wait=600 --heartbeat-since-now {API} {SCHEDULER}"]


def test_what_is_not_healthy_is_reported_with_its_journal(airflow):
    airflow.monkeypatch.setenv("FAKE_ILLNESS", "no heartbeat")
    airflow.monkeypatch.setenv("FAKE_ILL", DEFAULT)
    refused = airflow.run("service", units=[API, DEFAULT], state="healthy", timeout=5)
    assert refused["msg"] == (
        f"Not healthy after 5 s:\nno heartbeat\nThe journal of {DEFAULT} ends with:\n--unit={DEFAULT}"
    )


def test_a_webserver_is_waited_for_until_load_balancers_send_requests(airflow):
    statuses = [503, 404, 200]

    class Balancer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments):
            """Nothing: the answer is all."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Balancer) as server, socket.socket() as unused:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        unused.bind(("127.0.0.1", 0))
        # One that does not answer at all is not waited for.
        urls = [f"http://127.0.0.1:{port}/up/master1" for port in (server.server_port, unused.getsockname()[1])]
        refused = airflow.run("service", units=[API], state="healthy", up_urls=urls, timeout=0)
        assert refused["msg"] == f"healthy, but after 0 s still not served according to {urls[0]}"
        # It does not know this host yet.
        assert "failed" not in airflow.run("service", units=[API], state="healthy", up_urls=urls, timeout=0)
        assert "failed" not in airflow.run("service", units=[API], state="healthy", up_urls=urls, timeout=0)
        server.shutdown()
    assert statuses == [200]


def test_a_unit_that_runs_is_defined_by_its_name_only(host):
    refused = host.run("service", name=REDIS, state="stopped")
    assert "give units for any other state than started" in refused["msg"]


def test_a_restart_that_an_operator_asks_for_needs_no_other_digest(host):
    text = base64.b64encode(b"[Service]\nExecStart=/bin/worker\n").decode()
    host.monkeypatch.setattr(service, "HEALTH", str(host.folder / "bin/airflow-health"))
    host.run("service", name=DEFAULT, src="x", content=text)
    assert host.run("service", units=WORKERS, state="restarted")["actions"] == []
    assert host.run("service", units=WORKERS, state="restarted", always=True)["actions"] == [f"restart {DEFAULT}"]
    host.systemd("stop", DEFAULT)
    # What was stopped stays stopped.
    assert host.run("service", units=WORKERS, state="restarted", always=True)["actions"] == []


@pytest.fixture
def drained(host):
    """A host with a file that keeps its worker from running; path of the file."""
    mark = host.etc / "drained"
    mark.write_text("")
    text = f"[Unit]\nConditionPathExists=!{mark}\n[Service]\nExecStart=/bin/worker\n"
    host.worker = {"name": DEFAULT, "src": "x", "content": base64.b64encode(text.encode()).decode(), "restart": False}
    return mark


@pytest.mark.usefixtures("drained")
def test_what_a_file_keeps_from_starting_is_deployed_and_left_alone(host):
    assert host.run("service", **host.worker, check=True)["actions"] == ["daemon-reload"]
    assert host.run("service", **host.worker)["actions"] == ["daemon-reload"]
    assert host.commands() == ["daemon-reload"]
    second = host.run("service", **host.worker)
    assert (second["changed"], second["stale"]) == (False, [])
    for state in ("started", "restarted", "healthy"):
        result = host.run("service", units=WORKERS, state=state)
        assert (result["changed"], result["actions"], host.commands()) == (False, [], [])


def test_it_starts_when_the_file_is_gone(host, drained):
    host.run("service", **host.worker)
    host.commands()
    planned = host.run("service", units=WORKERS, state="started", pending=[str(drained)], check=True)
    assert planned["actions"] == [f"enable {DEFAULT}", f"start {DEFAULT}"]
    # What is planned counts in check mode only.
    assert host.run("service", units=WORKERS, state="started", pending=[str(drained)])["actions"] == []
    drained.unlink()
    assert host.run("service", units=WORKERS, state="started")["actions"] == planned["actions"]
    assert not host.run("service", **host.worker)["changed"]


def test_one_that_still_runs_is_not_restarted_into_the_stop(host, drained):
    drained.unlink()
    host.run("service", **host.worker)
    drained.write_text("")
    host.commands()
    changed = {**host.worker, "digest": "another"}
    assert host.run("service", **changed)["stale"] == []
    assert host.run("service", units=WORKERS, state="restarted")["actions"] == []
    assert host.run("service", units=WORKERS, state="stopped")["actions"] == [f"disable {DEFAULT}", f"stop {DEFAULT}"]
