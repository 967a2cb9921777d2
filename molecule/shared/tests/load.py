"""What users and tasks do meanwhile: requests through the load balancer and a stream of DAG runs."""

from __future__ import annotations

import threading
import time
from typing import Any

import requests
from cluster_access import Access, wait_until
from dag_runs import TIMEOUT, DagRuns


class Load:
    """A context: requests five times a second, and every seven seconds a run whose tasks take a while."""

    def __init__(self, cluster: Access, seconds: int = 10) -> None:
        self.url = cluster.url
        self.dag_runs = DagRuns(cluster)
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
        try:
            self.runs.append(self.dag_runs.start(**self.conf))
        except requests.HTTPError as error:
            self.failures.append(f"{time.strftime('%H:%M:%S')} no run: status {error.response.status_code}")

    def tasks(self) -> dict[str, int]:
        """Tasks of all runs, when these have ended, by state and number of tries, such as ``success after 1``."""
        found: dict[str, int] = {}
        for run in self.runs:
            self.dag_runs.end(run, 180)
            for task in self.dag_runs.tasks(run):
                what = f"{task['state']} after {task['try_number']}"
                found[what] = found.get(what, 0) + 1
        return found

    def states(self) -> set[str]:
        """States that the tasks of all runs are in."""
        return {str(task["state"]) for run in self.runs for task in self.dag_runs.tasks(run)}

    def running_on(self, hostname: str) -> bool:
        """Whether one of the tasks runs on the worker that Airflow knows as ``hostname``."""
        tasks = (task for run in self.runs for task in self.dag_runs.tasks(run))
        return any(task["state"] == "running" and task["hostname"] == hostname for task in tasks)
