"""Stopping the whole cluster lets a running task finish; starting brings everything back."""

from __future__ import annotations

import json
from pathlib import Path

from cluster_access import ansible, wait_until
from dag_runs import DagRuns

ROOT = Path(__file__).parents[3]
# Longer than the stop takes to reach the webserver that the tasks report to.
SECONDS = 30


def play(name, *arguments):
    return ansible(str(ROOT / "playbooks" / name), *arguments, program="ansible-playbook", timeout=600)


def test_running_tasks_outlive_the_stop_of_the_cluster(cluster, host_named):
    runs = DagRuns(cluster)
    run = runs.start(instances={"default": 1, "heavy": 1}, seconds=SECONDS)

    def probes():
        return [task["state"] for task in runs.tasks(run) if task["task_id"].startswith("probe__")]

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
    host, runs = host_named("node1"), DagRuns(cluster)
    state = "systemctl show --value --property=SubState airflow-scheduler"
    try:
        # A publish waits for what the broker says to it.
        host.check_output("systemctl kill --signal=STOP rabbitmq-server")
        run = runs.start(instances={"default": 1, "heavy": 1}, seconds=0)
        wait_until("a task is queued", lambda: "queued" in {task["state"] for task in runs.tasks(run)}, seconds=30)
        host.check_output("systemctl stop --no-block airflow-scheduler")
        wait_until("systemd has sent SIGTERM", lambda: host.check_output(state) == "stop-sigterm", seconds=5)
    finally:
        host.check_output("systemctl kill --signal=CONT rabbitmq-server")
        # After the stop.
        host.check_output("systemctl start airflow-scheduler")
    runs.succeed(run)


def test_starting_what_runs_brings_no_settings_to_it(host_named):
    host = host_named("node1")
    # Templates are no units, and their health checks come and go.
    units = "$(cd /etc/systemd/system && ls airflow-*.service | grep --invert-match @.service)"
    seen = f"systemctl show --property=Id,MainPID {units}; sha256sum /etc/systemd/system/airflow-*.service"
    before = host.check_output(seen)
    # That was not deployed.
    play("start.yml", "-e", json.dumps({"airflow_config": {"core": {"parallelism": 33}}}))
    assert host.check_output(seen) == before
