"""What a task has around it, asked through the load balancer."""

from __future__ import annotations

from typing import Any

import requests
from cluster_access import Access, wait_until

DAG = "custom_probe"


def login(cluster: Access) -> requests.Session:
    """A session of the administrator with Airflow's API."""
    session = requests.Session()
    names = {"username": cluster.user, "password": cluster.password}
    answer = session.post(f"{cluster.url}/auth/token", json=names, timeout=30)
    answer.raise_for_status()
    session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return session


def in_task(cluster: Access, body: str) -> Any:
    """Result of the function with this ``body``, run by a task."""
    session = login(cluster)
    runs = f"{cluster.api_url}/dags/{DAG}/dagRuns"
    started = session.post(runs, json={"logical_date": None, "conf": {"body": body}}, timeout=30)
    assert started.status_code == 200, started.text
    run = f"{runs}/{started.json()['dag_run_id']}"
    states = []

    def ended() -> bool:
        states.append(session.get(run, timeout=30).json()["state"])
        return states[-1] in ("success", "failed")

    wait_until(f"the task ends: {body}", ended, 120)
    logs = session.get(f"{run}/taskInstances/probe/logs/1", timeout=30)
    assert states[-1] == "success", logs.text
    return session.get(f"{run}/taskInstances/probe/xcomEntries/return_value", timeout=30).json()["value"]
