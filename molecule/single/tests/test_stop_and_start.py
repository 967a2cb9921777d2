"""Stopping the whole cluster lets a running task finish; starting brings everything back."""

from __future__ import annotations

import json
from pathlib import Path

import requests
from cluster_access import CANARY, ansible, wait_until

ROOT = Path(__file__).parents[3]
# Longer than the stop takes to reach the webserver that the tasks report to.
SECONDS = 30


def play(name, *arguments):
    return ansible(str(ROOT / "playbooks" / name), *arguments, program="ansible-playbook", timeout=600)


def token(cluster):
    login = {"username": cluster.user, "password": cluster.password}
    answer = requests.post(f"{cluster.url}/auth/token", json=login, timeout=30)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def states(cluster, run, prefix=""):
    """States of the tasks of a run whose names begin so."""
    url = f"{cluster.api_url}/dags/{CANARY}/dagRuns/{run}/taskInstances"
    tasks = requests.get(url, headers=token(cluster), timeout=30).json()["task_instances"]
    return [task["state"] for task in tasks if task["task_id"].startswith(prefix)]


def trigger(cluster, instances, seconds):
    """The name of a new run."""
    body = {"logical_date": None, "conf": {"instances": instances, "seconds": seconds}}
    url = f"{cluster.api_url}/dags/{CANARY}/dagRuns"
    return requests.post(url, json=body, headers=token(cluster), timeout=30).json()["dag_run_id"]


def test_running_tasks_outlive_the_stop_of_the_cluster(cluster, host_named):
    run = trigger(cluster, {"default": 1, "heavy": 1}, SECONDS)

    def probes():
        return states(cluster, run, "probe__")

    wait_until("a probe runs on each queue", lambda: probes() == ["running"] * 2, seconds=120, every=1.0)
    play("stop.yml")
    host = host_named("node1")
    units = ("airflow-scheduler", "airflow-api-server", "airflow-worker@default", "airflow-worker@heavy")
    assert [host.service(f"{unit}.service").is_running for unit in units] == [False] * 4
    assert [host.service(f"{unit}.service").is_enabled for unit in units] == [False] * 4
    play("start.yml")
    assert [host.service(f"{unit}.service").is_enabled for unit in units] == [True] * 4
    assert probes() == ["success"] * 2


def test_a_scheduler_sends_what_it_has_queued_before_it_ends(cluster, host_named):
    """Otherwise the task waits for ten minutes: Airflow cannot see that its message was never sent."""
    host = host_named("node1")
    state = "systemctl show --value --property=SubState airflow-scheduler"
    try:
        # A publish waits for what the broker says to it.
        host.check_output("systemctl kill --signal=STOP rabbitmq-server")
        run = trigger(cluster, {"default": 1, "heavy": 1}, 0)
        wait_until("a task is queued", lambda: "queued" in states(cluster, run), seconds=30)
        host.check_output("systemctl stop --no-block airflow-scheduler")
        wait_until("systemd has sent SIGTERM", lambda: host.check_output(state) == "stop-sigterm", seconds=5)
    finally:
        host.check_output("systemctl kill --signal=CONT rabbitmq-server")
        # After the stop.
        host.check_output("systemctl start airflow-scheduler")
    wait_until("the tasks end", lambda: set(states(cluster, run)) == {"success"}, seconds=120, every=1.0)


def test_starting_what_runs_brings_no_settings_to_it(host_named):
    host = host_named("node1")
    # Templates are no units, and their health checks come and go.
    units = "$(cd /etc/systemd/system && ls airflow-*.service | grep --invert-match @.service)"
    seen = f"systemctl show --property=Id,MainPID {units}; sha256sum /etc/systemd/system/airflow-*.service"
    before = host.check_output(seen)
    # That was not deployed.
    play("start.yml", "-e", json.dumps({"airflow_config": {"core": {"parallelism": 33}}}))
    assert host.check_output(seen) == before
