# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The canary: runs tasks on every worker of every queue through the API, and says which worker did what."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.module_utils._airflow_api import Api, ApiError, Deadline, quoted
from ansible_collections.flightdeck.airflow.plugins.module_utils._rows import Row

DAG = "flightdeck_canary"
RUN_PREFIX = "verify__"
KEPT_RUNS = 20
ATTEMPTS = 3
# Seconds for deleting old runs: the verdict is there already and waits for it.
CLEAN_SECONDS = 20
_FINISHED = frozenset({"success", "failed"})
_DAG_PATH = f"/dags/{DAG}"


def row(component: str, host: str, state: str, detail: str) -> Row:
    """One line of the table that verify and status print; ``state`` is ok, degraded, failed or unreachable."""
    return {"component": component, "host": host, "state": state, "detail": detail}


@dataclass
class Seen:
    """What the runs so far showed: per queue and host, one successful task instance and how many there were."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    samples: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    unexpected: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, instance: Mapping[str, Any], hosts: Mapping[str, str], expected: Sequence[str]) -> None:
        """Count a finished probe. ``hosts`` maps every name and address of a node to its name."""
        queue = str(instance["queue"])
        name = node_of(str(instance.get("hostname") or ""), hosts)
        if name not in expected:
            self.unexpected.setdefault(queue, Counter())[name] += 1
            return
        self.counts.setdefault(queue, Counter())[name] += 1
        self.samples.setdefault((queue, name), dict(instance))

    def missing(self, queues: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """Queues with the workers that ran no task of them yet."""
        found = {
            queue: [name for name in names if not self.counts.get(queue, Counter()).get(name)]
            for queue, names in queues.items()
        }
        return {queue: names for queue, names in found.items() if names}


def node_of(hostname: str, hosts: Mapping[str, str]) -> str:
    """Name of the node that a task instance's host name means; the host name itself when it is none of the cluster's.

    Tasks know an IPv6 address in brackets, as it stands in the URLs of their logs.
    """
    hostname = hostname.strip("[]")
    return hosts.get(hostname) or hosts.get(hostname.split(".", maxsplit=1)[0]) or hostname


def instances(queues: Mapping[str, Sequence[str]], wanted: Mapping[str, Sequence[str]], attempt: int) -> dict[str, int]:
    """How many probes to start on each queue: two per worker, twice as many each further time, none where all is
    seen."""
    return {queue: 2 * len(names) * 2**attempt if queue in wanted else 0 for queue, names in queues.items()}


def stuck(found: Sequence[Mapping[str, Any]]) -> str:
    """The unfinished and failed task instances, counted by task and state."""
    counts = Counter(
        (str(item["task_id"]), str(item["state"] or "not scheduled"))
        for item in found
        if item["state"] not in ("success", "skipped")
    )
    return ", ".join(f"{task} {count} {state}" for (task, state), count in sorted(counts.items())) or "no task instance"


class Canary:
    """One verification of one cluster."""

    def __init__(
        self,
        api: Api,
        queues: Mapping[str, Sequence[str]],
        addresses: Mapping[str, str],
        progress: Callable[[str], None] = lambda text: None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.api, self.queues = api, {queue: list(names) for queue, names in queues.items()}
        self.hosts = {**{address: name for name, address in addresses.items()}, **{name: name for name in addresses}}
        self.progress, self.pause = progress, pause
        self.seen = Seen()

    def run(self) -> list[Row]:
        """All steps; failures become rows, never exceptions."""
        rows: list[Row] = []
        try:
            self.api.login()
            self.ready()
            trouble = ""
            for attempt in range(ATTEMPTS):
                missing = self.seen.missing(self.queues)
                if not missing:
                    break
                trouble = self.follow(instances(self.queues, missing, attempt), seconds=2 * (attempt + 1))
                if trouble:
                    break
            rows += self.verdict(trouble)
            self.clean()
        except ApiError as error:
            rows.append(row("canary", "-", "failed", str(error)))
        return rows

    def ready(self) -> None:
        """Wait until Airflow knows the DAG with all its queues, and unpause it. Raises ApiError."""
        wanted = {f"probe__{queue}" for queue in self.queues}
        while True:
            found: set[str] = set()
            try:
                dag = self.api.get(_DAG_PATH)
                if not dag.get("is_stale", False) and dag.get("is_active", True):
                    found = {task["task_id"] for task in self.api.get(f"{_DAG_PATH}/tasks")["tasks"]}
                if wanted <= found:
                    break
            except ApiError as error:
                if error.status != 404:
                    raise
            if self.api.deadline.left() <= 0:
                raise ApiError(self._not_ready(wanted - found))
            self.progress(f"waiting for the DAG {DAG} to be read")
            self.pause(2.0)
        if dag.get("is_paused"):
            self.api.patch(f"{_DAG_PATH}?update_mask=is_paused", {"is_paused": False})

    def _not_ready(self, missing: set[str]) -> str:
        text = f"Airflow did not read {DAG} with {', '.join(sorted(missing))} within {self.api.deadline.seconds:.0f} s"
        try:
            errors = self.api.get("/importErrors?limit=100")["import_errors"]
        except ApiError:
            errors = []
        for error in errors:
            if DAG in str(error.get("filename")):
                return f"{text}: {str(error.get('stack_trace')).strip().splitlines()[-1]}"
        return f"{text}; is a dag_processor running, and does no .airflowignore match {DAG}.py?"

    def follow(self, counts: Mapping[str, int], seconds: float) -> str:
        """Trigger one run and wait for its end; empty, or what went wrong with it."""
        run = f"{RUN_PREFIX}{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}_{time.time_ns() // 1_000_000 % 1000:03d}"
        body: dict[str, Any] = {"dag_run_id": run, "conf": {"instances": dict(counts), "seconds": seconds}}
        if self.api.major >= 3:
            body["logical_date"] = None
        try:
            self.api.post(f"{_DAG_PATH}/dagRuns", body)
        except ApiError as error:
            if error.status != 409:  # the answer to a first attempt was lost
                raise
        path = f"{_DAG_PATH}/dagRuns/{quoted(run)}"
        shown = ""
        while True:
            state = str(self.api.get(path)["state"])
            over = state in _FINISHED or self.api.deadline.left() <= 0
            found = list(self.api.get_all(f"{path}/taskInstances", "task_instances"))
            done = sum(item["state"] == "success" for item in found)
            text = f"run {run}: {state}, {done} of {len(found)} tasks done"
            if text != shown:
                self.progress(text)
                shown = text
            if over:
                break
            self.pause(1.0)
        for item in found:
            if str(item["task_id"]).startswith("probe__") and item["state"] == "success":
                queue = str(item["queue"])
                self.seen.add({**item, "run": run}, self.hosts, self.queues.get(queue, []))
        if state == "success":
            return ""
        late = "" if state in _FINISHED else f" after {self.api.deadline.seconds:.0f} s"
        return f"run {run} is {state}{late}: {stuck(found)}"

    def verdict(self, trouble: str) -> list[Row]:
        """One row per queue and worker, and one for a run that did not succeed."""
        rows = []
        for queue, names in sorted(self.queues.items()):
            counts = self.seen.counts.get(queue, Counter())
            total = sum(counts.values()) + sum(self.seen.unexpected.get(queue, Counter()).values())
            for name in names:
                if not counts[name]:
                    detail = (
                        f"ran none of {total} tasks of this queue"
                        if total
                        else "no task of this queue was run by any worker"
                    )
                    rows.append(row(f"canary {queue}", name, "failed", detail))
                    continue
                problem = self.log_problem(self.seen.samples[queue, name])
                text = f"{counts[name]} of {total} tasks, " + (problem or "log read through the API")
                rows.append(row(f"canary {queue}", name, "failed" if problem else "ok", text))
            for host, count in sorted(self.seen.unexpected.get(queue, Counter()).items()):
                rows.append(
                    row(
                        f"canary {queue}",
                        host,
                        "failed",
                        f"ran {count} tasks, but is no worker of this queue in the inventory",
                    )
                )
        if trouble:
            rows.append(row("canary", "-", "failed", trouble))
        return rows

    def log_problem(self, instance: Mapping[str, Any]) -> str | None:
        """What is wrong with the log of ``instance``, fetched through the API; None when it has the canary's line."""
        path = (
            f"{_DAG_PATH}/dagRuns/{quoted(instance['run'])}/taskInstances/{quoted(instance['task_id'])}/logs/{instance['try_number']}"
            f"?full_content=true&map_index={instance['map_index']}"
        )
        marker = f"flightdeck-canary run={instance['run']} "
        text = ""
        for _attempt in range(5):
            try:
                text = self.api.text(path, "application/json" if self.api.major >= 3 else "text/plain")
            except ApiError as error:
                return f"its log cannot be read: {error}"
            if marker in text:
                return None
            self.pause(1.0)
        return f"its log does not have the canary's line: {' '.join(text.split())[:300]}"

    def clean(self) -> None:
        """Delete the canary's own runs but for the latest; a failure to do so is no finding about the cluster."""
        self.api.deadline = Deadline(min(CLEAN_SECONDS, self.api.deadline.left()))
        try:
            runs = self.api.get(f"{_DAG_PATH}/dagRuns?limit=100&order_by=-start_date")["dag_runs"]
            own = [run for run in runs if str(run["dag_run_id"]).startswith(RUN_PREFIX) and run["state"] in _FINISHED]
            for run in own[KEPT_RUNS:]:
                self.api.delete(f"{_DAG_PATH}/dagRuns/{quoted(str(run['dag_run_id']))}")
        except ApiError as error:
            self.progress(f"old runs were not deleted: {error}")
