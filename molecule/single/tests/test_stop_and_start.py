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


def probes(cluster, run):
    url = f"{cluster.api_url}/dags/{CANARY}/dagRuns/{run}/taskInstances"
    tasks = requests.get(url, headers=token(cluster), timeout=30).json()["task_instances"]
    return [task["state"] for task in tasks if task["task_id"].startswith("probe__")]


def test_running_tasks_outlive_the_stop_of_the_cluster(cluster, host_named):
    body = {"logical_date": None, "conf": {"instances": {"default": 1, "heavy": 1}, "seconds": SECONDS}}
    url = f"{cluster.api_url}/dags/{CANARY}/dagRuns"
    run = requests.post(url, json=body, headers=token(cluster), timeout=30).json()["dag_run_id"]
    wait_until("a probe runs on each queue", lambda: probes(cluster, run) == ["running"] * 2, seconds=120, every=1.0)
    play("stop.yml")
    host = host_named("node1")
    units = ("airflow-scheduler", "airflow-api-server", "airflow-worker@default", "airflow-worker@heavy")
    assert [host.service(f"{unit}.service").is_running for unit in units] == [False] * 4
    assert [host.service(f"{unit}.service").is_enabled for unit in units] == [False] * 4
    play("start.yml")
    assert [host.service(f"{unit}.service").is_enabled for unit in units] == [True] * 4
    assert probes(cluster, run) == ["success"] * 2


def test_starting_what_runs_brings_no_settings_to_it(host_named):
    host = host_named("node1")
    # Templates are no units, and their health checks come and go.
    units = "$(cd /etc/systemd/system && ls airflow-*.service | grep --invert-match @.service)"
    seen = f"systemctl show --property=Id,MainPID {units}; sha256sum /etc/systemd/system/airflow-*.service"
    before = host.check_output(seen)
    # That was not deployed.
    play("start.yml", "-e", json.dumps({"airflow_config": {"core": {"parallelism": 33}}}))
    assert host.check_output(seen) == before
