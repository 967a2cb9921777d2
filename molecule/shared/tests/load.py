"""What users and tasks do meanwhile: requests through the load balancer and a stream of DAG runs."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Any

import requests
from cluster_access import CANARY, Access, wait_until

# The load balancer's own limit for an answer.
TIMEOUT = 60


class Load:
    """A context: requests five times a second, and every seven seconds a run whose tasks take a while."""

    def __init__(self, cluster: Access, seconds: int = 10) -> None:
        self.url = cluster.url
        self.session = requests.Session()
        login = {"username": cluster.user, "password": cluster.password}
        token = requests.post(f"{self.url}/auth/token", json=login, timeout=30).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"
        self.runs_url = f"{self.url}/api/v2/dags/{CANARY}/dagRuns"
        self.conf = {"instances": dict.fromkeys(cluster.model["queues"], 2), "seconds": seconds}
        self.count = 0
        self.failures: list[str] = []
        self.runs: list[str] = []
        self.stopped = threading.Event()
        self.threads = [
            threading.Thread(target=self._every, args=job, daemon=True)
            for job in ((0.2, self._request), (7.0, self._trigger))
        ]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        wait_until("the first run is there", lambda: self.runs, 30)
        return self

    def __exit__(self, *_error: object) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def _every(self, seconds: float, action: Any) -> None:
        while not self.stopped.wait(seconds):
            try:
                action()
            except requests.RequestException as error:
                self.failures.append(f"{time.strftime('%H:%M:%S')} {error}")

    def _request(self) -> None:
        self.count += 1
        answer = requests.get(f"{self.url}/api/v2/version", timeout=TIMEOUT)
        if answer.status_code != 200:
            self.failures.append(f"{time.strftime('%H:%M:%S')} status {answer.status_code}")

    def _trigger(self) -> None:
        answer = self.session.post(self.runs_url, json={"logical_date": None, "conf": self.conf}, timeout=TIMEOUT)
        if answer.status_code == 200:
            self.runs.append(answer.json()["dag_run_id"])
        else:
            self.failures.append(f"{time.strftime('%H:%M:%S')} no run: status {answer.status_code}")

    def tasks(self) -> dict[str, int]:
        """Tasks of all runs, when these have ended, by state and number of tries, such as ``success after 1``."""
        found: dict[str, int] = {}
        for run in self.runs:
            try:
                wait_until(f"{run} ends", partial(self._has_ended, run), 180, every=1.0)
            except AssertionError as error:
                raise AssertionError(f"{error}: {self._unfinished()}") from error
            for task in self._instances(run):
                what = f"{task['state']} after {task['try_number']}"
                found[what] = found.get(what, 0) + 1
        return found

    def states(self) -> set[str]:
        """States that the tasks of all runs are in."""
        return {str(task["state"]) for run in self.runs for task in self._instances(run)}

    def running_on(self, hostname: str) -> bool:
        """Whether one of the tasks runs on the worker that Airflow knows as ``hostname``."""
        tasks = (task for run in self.runs for task in self._instances(run))
        return any(task["state"] == "running" and task["hostname"] == hostname for task in tasks)

    def _unfinished(self) -> list[str]:
        """Tasks that have not ended, and where they are: their run says only that it waits."""
        shown = ("state", "queue", "hostname", "queued_when", "start_date")
        return [
            f"{run} {task['task_id']}[{task['map_index']}] {[task[name] for name in shown]}"
            for run in self.runs
            for task in self._instances(run)
            if task["state"] not in ("success", "failed", "skipped", "upstream_failed")
        ]

    def _has_ended(self, run: str) -> bool:
        return self.session.get(f"{self.runs_url}/{run}", timeout=30).json()["state"] in ("success", "failed")

    def _instances(self, run: str) -> list[dict[str, Any]]:
        answer = self.session.get(f"{self.runs_url}/{run}/taskInstances", params={"limit": 100}, timeout=30)
        return list(answer.json()["task_instances"])
