"""DAG runs of Airflow 3, started and watched by its API through the load balancer, as users do."""

from __future__ import annotations

from typing import Any

import requests
from cluster_access import CANARY, Access, wait_until

# Seconds: the load balancer's own limit for an answer.
TIMEOUT = 60
ENDED = ("success", "failed")


def log_in(cluster: Access) -> requests.Session:
    """A session of the administrator with Airflow's API."""
    session = requests.Session()
    # This machine may have a proxy, which does not know the cluster.
    session.trust_env = False
    session.verify = cluster.ca_file or True
    names = {"username": cluster.user, "password": cluster.password}
    answer = session.post(f"{cluster.url}/auth/token", json=names, timeout=TIMEOUT)
    answer.raise_for_status()
    session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return session


class DagRuns:
    """Runs of one DAG."""

    def __init__(self, cluster: Access, dag: str = CANARY) -> None:
        self.session = log_in(cluster)
        self.url = f"{cluster.api_url}/dags/{dag}/dagRuns"

    def start(self, **conf: object) -> str:
        """The name of a new run."""
        answer = self.session.post(self.url, json={"logical_date": None, "conf": conf}, timeout=TIMEOUT)
        answer.raise_for_status()
        return str(answer.json()["dag_run_id"])

    def delete(self, run: str) -> None:
        """Remove a run and its tasks."""
        self.session.delete(f"{self.url}/{run}", timeout=TIMEOUT).raise_for_status()

    def states(self) -> dict[str, str]:
        """The states of the first hundred runs, by name."""
        found = self._get("", limit=100)["dag_runs"]
        return {run["dag_run_id"]: run["state"] for run in found}

    def tasks(self, run: str) -> list[dict[str, Any]]:
        """Task instances of a run, as the API shows them."""
        return list(self._get(f"/{run}/taskInstances", limit=100)["task_instances"])

    def result(self, run: str, task: str) -> Any:
        """What a task returned."""
        return self._get(f"/{run}/taskInstances/{task}/xcomEntries/return_value")["value"]

    def log(self, run: str, task: str) -> str:
        """The log of the first try of a task, as JSON."""
        answer = self._ask_log(run, task, 1, -1)
        answer.raise_for_status()
        return answer.text

    def end(self, run: str, seconds: float = 120) -> str:
        """The state of a run that has ended. Otherwise the error says where its tasks are: the run only waits."""
        found: list[str] = []

        def ended() -> bool:
            found.append(self._get(f"/{run}")["state"])
            return found[-1] in ENDED

        try:
            wait_until(f"{run} ends", ended, seconds, every=1.0)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self._unfinished(run)}") from error
        return found[-1]

    def succeed(self, run: str, seconds: float = 120) -> None:
        """Wait for the end of a run. Fails with the logs of the tasks that failed, or why there are none."""
        state = self.end(run, seconds)
        assert state == "success", [
            self._ask_log(run, task["task_id"], task["try_number"], task["map_index"]).text
            for task in self.tasks(run)
            if task["state"] == "failed"
        ]

    def _get(self, path: str, **params: object) -> Any:
        answer = self.session.get(f"{self.url}{path}", params=params, timeout=TIMEOUT)
        answer.raise_for_status()
        return answer.json()

    def _ask_log(self, run: str, task: str, attempt: int, map_index: int) -> requests.Response:
        return self.session.get(
            f"{self.url}/{run}/taskInstances/{task}/logs/{attempt}",
            params={"full_content": "true", "map_index": map_index},
            headers={"Accept": "application/json"},
            timeout=TIMEOUT,
        )

    def _unfinished(self, run: str) -> list[str]:
        shown = ("state", "queue", "hostname", "queued_when", "start_date")
        return [
            f"{task['task_id']}[{task['map_index']}] {[task[name] for name in shown]}"
            for task in self.tasks(run)
            if task["state"] not in (*ENDED, "skipped", "upstream_failed")
        ]
