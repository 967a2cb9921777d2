"""Hosts stop their part of Airflow, stay stopped, and come back, while users and tasks notice nothing."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import time
from pathlib import Path

import pytest
from cluster_access import CANARY, ansible, changes, inventory, wait_until
from interrupt import kill_after, kill_runs
from load import Load
from load_balancer import statistics

ROOT = Path(__file__).parents[3]
MARK = "/etc/airflow/drained"
# Each takes the time of four runs.
KILLS = 5 if os.environ.get("FLIGHTDECK_THOROUGH") else 1
# Hosts of this scenario; each has a load balancer.
WORKER, MASTER = "worker2", "master2"


def play(name, *arguments, timeout=600):
    path = str(ROOT / f"{name}.yml")
    return ansible(path, *arguments, program="ansible-playbook", timeout=timeout, warnings=True)


def drain(*hosts, more=()):
    return play("playbooks/drain", "-e", f"airflow_drain_hosts={','.join(hosts)}", *more)


def undrain(*hosts):
    return play("playbooks/undrain", "-e", f"airflow_drain_hosts={','.join(hosts)}")


def units(host):
    """State of each unit of Airflow's components on a host."""
    listed = host.check_output("systemctl list-units --all --plain --no-legend --type=service 'airflow-*'")
    states = {fields[0]: fields[2] for line in listed.splitlines() if (fields := line.split())}
    return {name: state for name, state in states.items() if "watchdog" not in name and "restart" not in name}


def runs(host):
    """Units that run in any way."""
    return {unit for unit, state in units(host).items() if state not in ("inactive", "failed")}


@pytest.fixture(autouse=True)
def whole(host_named):
    """Every test begins and ends with a cluster in which nothing is drained."""
    yield
    left = [name for name in (WORKER, MASTER, "worker1", "master1") if host_named(name).file(MARK).exists]
    if left:
        undrain(*left)


@pytest.mark.parametrize(
    ("hosts", "says"),
    [
        ("worker1,worker2", "FD322 host worker1: found no other worker of queue default that works"),
        ("master1,master2", "FD322 host master1: found no other api-server that works"),
        ("worker9", "FD321 airflow_drain_hosts: found worker9"),
        ("", "FD321 airflow_drain_hosts: found nothing"),
    ],
)
def test_what_nothing_else_does_is_refused_before_anything_changes(hosts, says):
    with pytest.raises(RuntimeError) as refused:
        drain(*hosts.split(","))
    text = " ".join(str(refused.value).split())
    assert says in text
    assert changes(str(refused.value)) == {}


def test_check_mode_shows_what_would_happen_and_does_nothing(host_named):
    output = drain(WORKER, more=["--check", "--diff"])
    assert re.search(r"stop airflow-worker@default\.service", output)
    assert '"reason"' in output
    assert not host_named(WORKER).file(MARK).exists
    assert runs(host_named(WORKER))


def test_a_worker_finishes_its_tasks_and_gets_no_more(cluster, host_named):
    host = host_named(WORKER)
    # So many that both workers always have some.
    with Load(cluster, seconds=15) as load:
        wait_until("it has tasks", lambda: load.running_on(cluster.model["nodes"][WORKER]["address"]), 60)
        output = drain(WORKER, more=["-e", "airflow_drain_reason='a new disk'"])
        assert re.search(rf"{WORKER}: [1-9]\d* running tasks, which get 120 s at most", output)
        assert re.search(rf"{CANARY}\.probe__default\S* of \S+, for \d+ s", output)
        assert runs(host) == set()
        # It stays like that: in the next runs, at a start of the unit, and after a second drain.
        assert changes(drain(WORKER)) == {}
        host.check_output("systemctl start airflow-worker@default.service")
        assert runs(host) == set()
        seen = len(load.runs)
        wait_until("the other goes on", lambda: len(load.runs) > seen, 60)
    assert set(load.tasks()) == {"success after 1"}
    assert load.failures == []
    # Not meanwhile: the canary's tasks would wait behind all others.
    output = play("playbooks/verify")
    assert re.search(rf"{WORKER} +degraded +drained since .*: a new disk", output)
    assert changes(undrain(WORKER)).keys() == {WORKER}
    assert set(units(host).values()) == {"active"}


def test_a_webserver_leaves_every_load_balancer_before_it_stops(cluster, host_named):
    with Load(cluster) as load:
        drain(MASTER)
        assert runs(host_named(MASTER)) == set()
        # What HAProxy knows by a command is lost here; nothing of it is needed.
        for name in ("master1", MASTER, "worker1", WORKER):
            host_named(name).check_output("systemctl reload haproxy")
        seen = load.count
        wait_until("requests went on", lambda: load.count > seen + 20, 30)
        assert changes(play("site")) == {}
        assert runs(host_named(MASTER)) == set()
        output = play("playbooks/verify")
        assert re.search(r"haproxy web +master1 +degraded .*master2 drained", output)
        undrain(MASTER)
        assert set(units(host_named(MASTER)).values()) == {"active"}
    assert load.failures == []
    assert set(load.tasks()) == {"success after 1"}
    assert statistics(host_named("master1"), "web", "status")["master2"] == "UP"


def test_a_drained_host_stays_drained_when_it_starts_again(cluster, host_named):
    drain(WORKER)
    container = cluster.containers[WORKER]
    subprocess.run(["docker", "restart", container], check=True, capture_output=True)
    wait_until(
        "systemd has started everything",
        lambda: host_named(WORKER).run("systemctl is-system-running").stdout.strip() in ("running", "degraded"),
        90,
    )
    assert runs(host_named(WORKER)) == set()
    timers = host_named(WORKER).check_output("systemctl list-timers --all --no-legend 'airflow-watchdog*'")
    assert "airflow-watchdog" not in timers
    play("playbooks/start")
    assert runs(host_named(WORKER)) == set()
    undrain(WORKER)
    assert set(units(host_named(WORKER)).values()) == {"active"}


def test_a_drain_that_fails_puts_the_host_back(host_named):
    balancer = host_named("worker1")
    balancer.check_output("systemctl kill --signal=STOP haproxy.service")
    try:
        with pytest.raises(RuntimeError, match="FD324") as failed:
            drain(MASTER)
        assert "HAProxy does not answer" in str(failed.value)
    finally:
        balancer.check_output("systemctl kill --signal=CONT haproxy.service")
    assert not host_named(MASTER).file(MARK).exists
    assert set(units(host_named(MASTER)).values()) == {"active"}
    wait_until("everything works again", lambda: play("playbooks/status"), 60)


def command(playbook):
    """The run of a playbook, to be killed."""
    arguments = ["-i", inventory(), str(ROOT / f"playbooks/{playbook}.yml"), "-e", f"airflow_drain_hosts={MASTER}"]
    return ["ansible-playbook", *arguments]


def test_a_drain_that_was_killed_anywhere_is_run_again(cluster, host_named):
    host = host_named(MASTER)
    began = time.monotonic()
    drain(MASTER)
    longest = time.monotonic() - began
    undrain(MASTER)
    with Load(cluster) as load:
        for _attempt in range(KILLS):
            print(kill_after(random.uniform(0.3, 0.95) * longest, command("drain")))
            # What was under way on the host may still go on there.
            drain(MASTER)
            assert (runs(host), host.file(MARK).exists) == (set(), True)
            print(kill_after(random.uniform(0.3, 0.95) * longest, command("undrain")))
            undrain(MASTER)
            assert (set(units(host).values()), host.file(MARK).exists) == ({"active"}, False)
    assert load.failures == []
    assert set(load.tasks()) == {"success after 1"}
    play("playbooks/verify")


def test_the_last_one_is_drained_when_the_operator_says_so(host_named):
    output = drain("worker1", WORKER, more=["-e", "airflow_confirm=airflow"])
    assert "FD322 host worker1" in output
    assert runs(host_named(WORKER)) | runs(host_named("worker1")) == set()
    facts = json.loads(host_named(WORKER).file(MARK).content_string)
    assert facts.keys() == {"since", "reason"}
    undrain("worker1", WORKER)


def processes(host, *names):
    """Main process of each unit of Airflow's on a host, or of those whose name has one of ``names``."""
    wanted = [unit for unit in units(host) if not names or any(name in unit for name in names)]
    return {unit: host.check_output(f"systemctl show --property=MainPID --value {unit}") for unit in wanted}


def test_an_unknown_component_restarts_nothing(host_named):
    before = processes(host_named("master1"))
    with pytest.raises(RuntimeError, match="FD327 airflow_restart_components: found db") as refused:
        play("playbooks/rolling_restart", "-e", "airflow_restart_components=webserver,db")
    assert changes(str(refused.value)) == {}
    assert processes(host_named("master1")) == before


def test_components_restart_host_after_host_while_the_api_answers(cluster, host_named):
    hosts = ("master1", MASTER, "worker1", WORKER)
    before = {name: processes(host_named(name)) for name in hosts}
    with Load(cluster) as load:
        play("playbooks/rolling_restart")
    assert load.failures == []
    assert set(load.tasks()) == {"success after 1"}
    after = {name: processes(host_named(name)) for name in hosts}
    assert {name: units.keys() for name, units in after.items()} == {
        name: units.keys() for name, units in before.items()
    }
    assert [unit for name in hosts for unit in before[name] if before[name][unit] == after[name][unit]] == []
    states = statistics(host_named("master1"), "web", "status")
    assert (states["master1"], states[MASTER]) == ("UP", "UP")


@pytest.mark.thorough
def test_a_rolling_restart_that_was_killed_anywhere_is_run_again(cluster, host_named):
    arguments = ["-i", inventory(), str(ROOT / "playbooks/rolling_restart.yml")]
    before = processes(host_named("worker1"), "worker")
    with Load(cluster) as load:
        kill_runs(["ansible-playbook", *arguments], 10, 120)
        play("playbooks/rolling_restart", "-e", "airflow_restart_components=webserver,scheduler")
    assert load.failures == []
    assert set(load.tasks()) == {"success after 1"}
    assert processes(host_named("worker1"), "worker").keys() == before.keys()
    play("playbooks/verify")
