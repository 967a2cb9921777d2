"""Injects faults into a running cluster, one after the other, and records what probes and tasks see of it.

    python tests/faults/run.py --inventory molecule/ha/inventory [--faults F6,F7] [--repeat 3] [--output
    artefacts/faults]

Ends with 1 when a promise was broken. Every run leaves a directory with its histories and ``verdict.json``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "molecule/shared/tests")]

import checker
import lease
from cluster import Cluster, wait
from faults import FAULTS, Fault, Undo

# Before the fault: at least so long, and until so many tasks have begun.
WARM_SECONDS = 10
WARM_TASKS = 4
CALM_SECONDS = 10
# Between two checks of every service: a check takes seconds of a processor, which the cluster needs to recover.
CHECK_SECONDS = 3
# Runs without a verdict, one after the other, after which the rest is left.
FAILED_AT_ONCE = 3
PERIOD = 0.2
# By how much a machine that is slow, or busy with other work, may exceed the seconds that are promised.
GUARD_ALLOWANCE = 3


class Ledger:
    """A server outside of the cluster that keeps every row that it is sent, with the time of its own clock."""

    def __init__(self, address: str) -> None:
        self.rows: list[dict[str, Any]] = []
        rows = self.rows

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                rows.append({**json.loads(self.rfile.read(int(self.headers["Content-Length"]))), "at": time.time()})
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Nothing: the rows are the log."""

        self.server = ThreadingHTTPServer((address, 0), Handler)
        self.url = f"http://{address}:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop the server."""
        self.server.shutdown()
        self.server.server_close()


class Probes:
    """Requests from here and writes from a host of the cluster, until stopped."""

    def __init__(self, cluster: Cluster, host: str) -> None:
        self.cluster, self.host = cluster, host
        self.rows: list[dict[str, Any]] = []
        self.stopped = threading.Event()
        self.ready = threading.Event()
        self.process = self._begin()
        self.threads = [threading.Thread(target=target, daemon=True) for target in (self._listen, self._ask)]
        for thread in self.threads:
            thread.start()
        if not self.ready.wait(60):
            raise RuntimeError(f"the probes on {host} do not begin")

    def _begin(self, *arguments: str) -> subprocess.Popen[str]:
        """The process on the host."""
        python = ["/opt/airflow/current/bin/python", "-c", self.source(), *arguments]
        command = ["docker", "exec", "--interactive", self.cluster.access.containers[self.host], *python]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @staticmethod
    def source() -> str:
        """What runs on the host."""
        return (HERE / "probe.py").read_text(encoding="utf-8")

    def _listen(self) -> None:
        """Keep the rows. A process that is lost with its host begins again with it."""
        while True:
            for line in self.process.stdout or ():
                # The last one may be cut off.
                row = json.loads(line) if line.endswith("\n") else {"layer": "probe"}
                if row["layer"] == "probe":
                    self.ready.set()
                else:
                    self.rows.append(row)
            self.process.wait()
            if self.stopped.wait(1):
                return
            self.process = self._begin("again")

    def _ask(self) -> None:
        url = f"{self.cluster.access.url}/api/v2/version"
        while not self.stopped.wait(PERIOD):
            row: dict[str, Any] = {"layer": "http", "id": "", "start": time.time()}
            try:
                status = requests.get(url, timeout=5).status_code
                row |= {"ok": status == 200, "error": "" if status == 200 else f"status {status}"}
            except requests.RequestException as error:
                row |= {"ok": False, "error": f"{type(error).__name__}: {error}"[:200]}
            self.rows.append({**row, "end": time.time()})

    def stop(self) -> None:
        """End all."""
        self.stopped.set()
        if self.process.stdin:
            self.process.stdin.close()
        for thread in self.threads:
            thread.join(60)

    def read(self) -> dict[str, list[str]]:
        """What is stored in the end, by layer."""
        command = [
            self.cluster.access.containers[self.host],
            "/opt/airflow/current/bin/python",
            "-c",
            self.source(),
            "read",
        ]
        found: dict[str, list[str]] = json.loads(self.cluster.docker("exec", *command).splitlines()[-1])
        return found


class Runs:
    """A DAG run every so many seconds; one that was not acknowledged is asked for again, under the same name."""

    def __init__(self, cluster: Cluster, ledger: str, fault: Fault) -> None:
        self.cluster, self.dag, self.most, self.every = cluster, fault.dag, fault.runs, fault.every
        self.conf = {"url": ledger, "seconds": fault.body_seconds, "bodies": fault.bodies}
        self.names: list[str] = []
        self.ended: set[str] = set()
        self.stopped = threading.Event()
        self.session = cluster.session()
        self.thread = threading.Thread(target=self._trigger, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        """Runs of the DAG."""
        return f"{self.cluster.access.url}/api/v2/dags/{self.dag}/dagRuns"

    def _trigger(self) -> None:
        while not self.stopped.wait(self.every) and len(self.names) < self.most:
            name = f"run-{time.time():.3f}"
            while not self.stopped.is_set():
                body = {"dag_run_id": name, "logical_date": None, "conf": self.conf}
                with contextlib.suppress(requests.RequestException):
                    if self.session.post(self.url, json=body, timeout=5).status_code in (200, 409):
                        self.names.append(name)
                        break
                time.sleep(0.5)

    def stop(self) -> None:
        """No more."""
        self.stopped.set()
        self.thread.join(15)

    def unfinished(self) -> str:
        """How many have not ended. One that is gone will not."""
        try:
            answers = [
                self.session.get(f"{self.url}/{name}", timeout=10) for name in self.names if name not in self.ended
            ]
            if any(answer.status_code == 401 for answer in answers):
                self.cluster.log_in(self.session)
                return "logging in"
            states = [
                answer.json().get("state") if answer.status_code == 200 else answer.status_code for answer in answers
            ]
        except (requests.RequestException, ValueError) as error:
            return str(error)
        waiting = [name for name in self.names if name not in self.ended]
        self.ended.update(
            name for name, state in zip(waiting, states, strict=True) if state in ("success", "failed", 404)
        )
        left = len(self.names) - len(self.ended)
        return f"{left} runs have not ended" if left else ""

    def states(self) -> dict[str, str]:
        """State of every task in the end; of a run that is gone, one task that is ``lost``."""
        found = {}
        for name in self.names:
            answer = self.session.get(f"{self.url}/{name}/taskInstances", timeout=30)
            if answer.status_code == 404:
                found[f"{name}//"] = "lost"
                continue
            for task in answer.json()["task_instances"]:
                found[f"{name}/{task['task_id']}/{task['map_index']}"] = str(task["state"])
        return found


@contextlib.contextmanager
def observed(cluster: Cluster, fault: Fault) -> Iterator[tuple[Probes, Runs, Ledger]]:
    """Probes, runs and ledger, which end in this order."""
    others = [
        host
        for host in [*cluster.hosts("worker"), *cluster.hosts("scheduler")]
        if host not in fault.probe_not_on(cluster)
    ]
    network = cluster.nodes[others[0]]["address"].rpartition(".")[0]
    # Its messages are counted in the end, however old they are by then.
    broker = cluster.hosts("rabbitmq")[0]
    limits = json.dumps({"delivery-limit": cluster.nodes[broker]["rabbitmq"]["delivery_limit"]})
    policy = ["flightdeck_probe", "^flightdeck_probe$", limits, "--apply-to=queues", "--priority=9"]
    cluster.run(broker, "rabbitmqctl", "--quiet", "set_policy", "--vhost=airflow", *policy)
    with contextlib.ExitStack() as ends:
        ledger = Ledger(f"{network}.1")
        ends.callback(ledger.close)
        probes = Probes(cluster, others[-1])
        ends.callback(probes.stop)
        runs = Runs(cluster, ledger.url, fault)
        ends.callback(runs.stopped.set)
        yield probes, runs, ledger


def once(cluster: Cluster, fault: Fault, output: Path, times: int = 1, allowance: float = 1) -> dict[str, Any]:
    """One run of a fault, or so many in a row: the verdict, with everything that was measured, or the worst of it.

    Every promise in seconds may take ``allowance`` times as long; what may not be lost or happen twice has no
    allowance.
    """
    if allowance != 1:
        names = ("http", "metastore", "broker", "heal", "start", "stray", "retry", "gap", "finish")
        promised = {name: getattr(fault, name) for name in names if getattr(fault, name, None)}
        fault = replace(fault, **{name: value * allowance for name, value in promised.items()})
    wait("the cluster is well before the fault", lambda: fault.problem(cluster), 300, CHECK_SECONDS)
    broken: list[str] = []
    record = lease.recorded(cluster) if isinstance(fault, lease.LeaseFault) else contextlib.nullcontext(list)
    with record as commits, observed(cluster, fault) as (probes, runs, ledger), Undo() as undo:
        time.sleep(WARM_SECONDS)
        wait(
            "tasks run",
            lambda: "" if sum(row["phase"] == "begin" for row in list(ledger.rows)) >= WARM_TASKS else "too few",
            120,
        )
        healed, spans = 0.0, []
        for _ in range(times):
            begun = time.time()
            with kept(broken):
                fault.break_it(cluster, undo)
                time.sleep(fault.hold)
            with kept(broken):
                undo.close()
            with kept(broken):
                healed = max(
                    healed,
                    wait(
                        "the cluster is well after the fault", lambda: fault.problem(cluster), fault.heal, CHECK_SECONDS
                    ),
                )
            time.sleep(CALM_SECONDS)
            spans.append((begun, time.time()))
            if broken:
                break
        runs.stop()
        with kept(broken):
            wait("all runs have ended", runs.unfinished, fault.finish)
        probes.stop()
        states, read, rows, written = runs.states(), probes.read(), list(probes.rows), list(ledger.rows)
        committed = commits()
    begun, ended = spans[0][0], spans[-1][1]
    verdict: dict[str, Any] = {
        "fault": fault.name,
        "title": fault.title,
        "at": begun,
        "times": len(spans),
        "healed_seconds": round(healed, 1),
        "broken": broken,
        "versions": cluster.versions(),
    }
    for layer in ("http", "metastore", "broker"):
        attempts = [row for row in rows if row["layer"] == layer]
        seconds = max(checker.outage(attempts, *span) for span in spans)
        verdict[layer] = {"outage_seconds": round(seconds, 1), "target_seconds": getattr(fault, layer)}
        if getattr(fault, layer) is not None and seconds > getattr(fault, layer):
            broken.append(f"{layer}: {seconds:.1f} s without an answer")
        if layer != "http":
            found = checker.writes(attempts, read[layer])
            verdict[layer] |= asdict(found)
            if found.lost or found.unexpected:
                broken.append(f"{layer}: {found.lost} writes lost, {found.unexpected} unexpected")
    if isinstance(fault, lease.LeaseFault):
        seen, changes = (
            checker.commits_of(committed, begun, ended),
            [checker.changes(committed, *span) for span in spans],
        )
        verdict[checker.COMMITS] = {**asdict(seen), "target_seconds": fault.gap}
        if seen.stale or seen.gap_seconds > fault.gap or min(changes) < fault.changes or not seen.commits:
            broken.append(f"lease: {asdict(seen)}, changes {changes}")
    tasks = checker.tasks(written, states)
    idle, stray = checker.without_new(written, begun), checker.stray(written, begun)
    verdict["tasks"] = {
        **asdict(tasks),
        "runs": len(runs.names),
        "without_new_seconds": round(idle, 1),
        "target_seconds": fault.start,
        "stray_seconds": round(stray, 1),
    }
    if tasks.double_starts or tasks.overlap_seconds or tasks.failed:
        broken.append(f"tasks: {asdict(tasks)}")
    if fault.stray is not None and not 0 < stray <= fault.stray:
        broken.append(f"a task went on for {stray:.0f} s where it was cut off")
    if fault.retry == 0 and tasks.repeated:
        broken.append(f"{tasks.repeated} tasks were tried again")
    if fault.retry and not 0 < tasks.retry_seconds <= fault.retry:
        broken.append(
            f"a lost task was tried again after {tasks.retry_seconds:.0f} s"
            if tasks.retry_seconds
            else "no task was lost"
        )
    if fault.start is not None and idle > fault.start:
        broken.append(f"no task began for {idle:.0f} s")
    output.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("probes", rows),
        ("ledger", written),
        ("states", states),
        ("commits", committed),
        ("verdict", verdict),
    ):
        (output / f"{name}.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    if broken:
        write_journals(cluster, begun - WARM_SECONDS, output)
    return verdict


def write_journals(cluster: Cluster, since: float, output: Path) -> None:
    """The journal of every host from ``since`` (seconds of the epoch) on, to find the cause."""
    for host in cluster.nodes:
        with contextlib.suppress(Exception):
            text = cluster.run(host, "journalctl", "--no-pager", "--output=short-precise", f"--since=@{since:.0f}")
            (output / f"journal-{host}.txt").write_text(text, encoding="utf-8")


@contextlib.contextmanager
def kept(broken: list[str]) -> Iterator[None]:
    """What fails within is noted, and what follows is still checked."""
    try:
        yield
    except Exception as error:
        said = getattr(error, "stderr", None) or ""
        broken.append(
            str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error} {said}"[:2000]
        )


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inventory", required=True)
    parser.add_argument(
        "--faults",
        default="",
        help="names with commas between them; all when left out; 'guards' for those of every test run",
    )
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument(
        "--in-a-row", type=int, default=1, help="faults in a row in one run, while probes go on; for a leader lease"
    )
    parser.add_argument("--minutes", type=float, default=0, help="in random order, and again, for so long")
    parser.add_argument(
        "--seed", type=int, default=random.randrange(10000), help="of all that is random; it is printed"
    )
    parser.add_argument("--output", type=Path, default=Path("artefacts/faults"))
    given = parser.parse_args()
    os.environ["FLIGHTDECK_INVENTORY"] = given.inventory
    cluster = Cluster()
    faults = lease.FAULTS if lease.enabled(cluster) else FAULTS
    wanted = given.faults.split(",") if given.faults else [fault.name for fault in faults]
    chosen = [fault for fault in faults if fault.name in wanted or ("guards" in wanted and fault.guards)]
    if unknown := set(wanted) - {"guards", *(fault.name for fault in faults)}:
        names = ", ".join(fault.name for fault in faults)
        parser.error(
            f"--faults: {', '.join(sorted(unknown))} is unknown; this cluster's are {names}, and 'guards' for "
            "those of every test run"
        )
    if given.in_a_row > 1 and faults is not lease.FAULTS:
        parser.error("--in-a-row is for schedulers with a lease: the other faults are measured from one begin")
    random.seed(given.seed)
    print(f"seed {given.seed}", flush=True)
    runs = broken = failed = 0
    for fault in (
        randomly(chosen, given.minutes) if given.minutes else [fault for fault in chosen for _ in range(given.repeat)]
    ):
        print(f"{time.strftime('%H:%M:%S')} {fault.name} {fault.title}", flush=True)
        runs += 1
        try:
            verdict = once(
                cluster, fault, given.output / f"{fault.name}-{time.strftime('%Y%m%dT%H%M%S')}", given.in_a_row
            )
        except Exception as error:
            # One that cannot be judged does not end a night of runs; a cluster that does not come back does.
            print(f"{fault.name}: no verdict, {type(error).__name__}: {error}", flush=True)
            broken, failed = broken + 1, failed + 1
            if failed == FAILED_AT_ONCE:
                break
            continue
        broken, failed = broken + bool(verdict["broken"]), 0
        print(line(verdict), flush=True)
    print(f"{runs} runs, {broken} with a broken promise or without a verdict")
    return 1 if broken else 0


def guard(fault: Fault, output: Path) -> None:
    """A test: the promise for ``fault`` is kept by the cluster under test, on whatever machine.

    Seconds are measured by ``main`` on a machine with nothing else to do; here they only have to be of the right order.
    """
    verdict = once(
        Cluster(), fault, output / f"{fault.name}-{time.strftime('%Y%m%dT%H%M%S')}", allowance=GUARD_ALLOWANCE
    )
    print(verdict)
    assert verdict["broken"] == []


def randomly(faults: list[Fault], minutes: float) -> Iterator[Fault]:
    """All in random order, and again in another, as long as there is time to begin one."""
    end = time.monotonic() + 60 * minutes
    while True:
        for fault in random.sample(faults, len(faults)):
            if time.monotonic() > end:
                return
            yield fault


def line(verdict: dict[str, Any]) -> str:
    """A verdict in a line."""
    seconds = ", ".join(f"{layer} {verdict[layer]['outage_seconds']} s" for layer in ("http", "metastore", "broker"))
    tasks = f"without a new task {verdict['tasks']['without_new_seconds']} s, {verdict['tasks']['tries']} tries"
    result = f"BROKEN: {'; '.join(verdict['broken'])}" if verdict["broken"] else "as promised"
    return f"{verdict['fault']}: {seconds}, {tasks}, {result}"


if __name__ == "__main__":
    sys.exit(main())
