"""Measure how many tasks a cluster runs, how long they wait, and what they cost, side by side with the hand-written
cluster of baseline.sh with Airflow's defaults and without TLS: nine hosts each, on one machine, in turns.

    python benchmarks/throughput.py deploy             both clusters
    python benchmarks/throughput.py run                all workloads in turns, write docs/performance.md
    python benchmarks/throughput.py run --only chain   one workload, print it, and write no page
    python benchmarks/throughput.py idle               what the clusters use without tasks
    python benchmarks/throughput.py try --only mapped --set scheduler.max_tis_per_query=64
                                                       the deployed cluster with other options for a time
    python benchmarks/throughput.py remove             the containers of both

While one cluster is measured, the containers of the other are paused. Nothing else should run meanwhile: of what is
measured, processor seconds for each task alone hardly depend on the load of the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml
from figures import Sample, grown, of, quantile, summary, table, with_section

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / ".collections"))
from ansible_collections.flightdeck.airflow.plugins.module_utils._airflow_api import Api, ApiError, Deadline

INVENTORY = HERE / "inventory_tasks"
PAGE = ROOT / "docs/performance.md"
RESULTS = ROOT / "artefacts/throughput.json"
ROUNDS = 3
# What is aimed at: tasks per second, as a ratio to the hand-written cluster.
RATE_COSTS = 1.3
# Two rounds of health checks.
IDLE_SECONDS = 150.0
HOSTS = ("lb1", "master1", "master2", "worker1", "worker2", "db1", "mq1", "mq2", "mq3")
# Seconds in which a cluster that was paused finds itself again, and the longest wait for a workload.
SETTLE, LONGEST = 15, 2400
# Units whose processor time is a row of its own.
SERVICE = re.compile(
    r"(airflow-)?(scheduler|api-server|dag-processor|triggerer|worker)(@.*)?\.service$|"
    r"(haproxy|pgbouncer|rabbitmq-server|postgresql@.*)\.service$"
)


@dataclass(frozen=True)
class Cluster:
    """A cluster in containers of this machine."""

    name: str
    lab: str
    subnet: str
    url: str
    user: str
    password: str
    ca_file: str = ""

    def container(self, host: str) -> str:
        """Name of the container of ``host``."""
        return f"fd-{self.lab}-{host}"


@dataclass(frozen=True)
class Workload:
    """A DAG, how many of its runs are started at once, and how many tasks they have together."""

    name: str
    dag: str
    runs: int
    tasks: int
    # As often, one after the other.
    times: int = 1


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("200 mapped tasks", "bench_mapped_200", 1, 200),
        Workload("50 runs of a chain of five", "bench_chain", 50, 250),
        Workload("50 deferred tasks", "bench_deferred", 1, 50),
        Workload("single tasks, one after the other", "bench_mapped_1", 1, 1, times=10),
        Workload("1,000 mapped tasks", "bench_mapped_1000", 1, 1000),
    )
}
# How the command line names them.
SHORT = dict(zip(("mapped", "chain", "deferred", "single", "thousand"), WORKLOADS, strict=True))


def shell(*command: str | Path, text: str | None = None, cwd: Path = ROOT) -> str:
    """Output of a command. Ends the program when it fails."""
    done = subprocess.run([str(part) for part in command], input=text, capture_output=True, text=True, cwd=cwd)
    if done.returncode:
        sys.exit(f"{' '.join(str(part) for part in command)[:200]} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def inside(cluster: Cluster, host: str, script: str, user: str = "root") -> str:
    """Output of a shell script on a host."""
    return shell("docker", "exec", "-i", "-u", user, cluster.container(host), "bash", "-euo", "pipefail", text=script)


def ours() -> Cluster:
    """The cluster that the collection deploys, with the account of its administrator."""
    secrets = yaml.safe_load((INVENTORY / ".airflow_secrets.yml").read_text(encoding="utf-8"))
    return Cluster(
        name="flightdeck",
        lab="tasks",
        subnet="172.31.70",
        url="https://172.31.70.10:8443",
        user="admin",
        password=str(secrets["airflow_admin_password"]),
        ca_file=str(INVENTORY / ".airflow_ca.crt"),
    )


FLOOR = Cluster("hand-written", "floor", "172.31.71", "http://172.31.71.10:8080", "admin", "bench")


class FailedError(Exception):
    """A run that should have succeeded failed."""


def client(cluster: Cluster) -> Api:
    """Requests to the REST API of a cluster. Raises ApiError."""
    ca = Path(cluster.ca_file).read_text(encoding="ascii") if cluster.ca_file else ""
    api = Api(cluster.url, 3, cluster.user, cluster.password, Deadline(LONGEST), ca)
    api.login()
    return api


def until(api: Api, what: Callable[[], bool], seconds: float, pause: float = 0.5) -> None:
    """Wait until ``what`` holds, through errors of a cluster that just starts. Ends the program when it takes too
    long."""
    api.deadline = Deadline(seconds)
    while True:
        last = ""
        try:
            if what():
                return
        except ApiError as error:
            last = str(error)
        if not api.deadline.left():
            sys.exit(f"{api.url}: nothing within {seconds:.0f} s {last}")
        time.sleep(pause)


def sql(cluster: Cluster, query: str) -> list[list[str]]:
    """Rows of a query in the metastore, as its superuser."""
    command = f"psql -XAtq -F '\t' -h /var/run/postgresql -d airflow <<'END'\n{query}\nEND\n"
    return [line.split("\t") for line in inside(cluster, "db1", command, "postgres").splitlines()]


def service_of(unit: str) -> str:
    """What a unit is called in the tables."""
    return unit.removesuffix(".service").split("@")[0].removeprefix("airflow-").replace("rabbitmq-server", "rabbitmq")


def cgroup(container: str) -> Path:
    """The control group of a container in the hierarchy of version 2, which counts processor time everywhere."""
    pid = shell("docker", "inspect", "--format", "{{.State.Pid}}", container).strip()
    (own,) = (line[3:] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines() if line.startswith("0::"))
    # The first process of a host is in a group of its own below that of the container.
    path = re.sub(r"/(init\.scope|init)$", "", own).strip("/")
    root = Path("/sys/fs/cgroup")
    return (root / "unified" if (root / "unified").is_dir() else root) / path


def used(group: Path) -> float:
    """Processor seconds of a control group; none of one that is gone."""
    try:
        stat = (group / "cpu.stat").read_text()
    except FileNotFoundError:
        return 0.0
    return int(stat.split()[1]) / 1e6


def cpu(cluster: Cluster) -> dict[str, float]:
    """Processor seconds by control group: the hosts, Airflow's slice on each, and the services that are rows."""
    seconds = {}
    for host in HOSTS:
        group = cgroup(cluster.container(host))
        units = [unit for unit in group.rglob("*.service") if SERVICE.match(unit.name)]
        for part in (group, group / "airflow.slice", *units):
            seconds[f"{host}/{part.relative_to(group)}"] = used(part)
    return seconds


def cpu_by_service(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Processor seconds by service between two counts. `checks` are our health checks, `other` is the rest: systemd,
    timers, and the queries of this program."""
    took = grown(before, after)
    seconds = dict.fromkeys(("checks", "other"), 0.0)
    for path, own in took.items():
        part = path.partition("/")[2]
        unit = part.rpartition("/")[2]
        if SERVICE.match(unit):
            seconds[service_of(unit)] = seconds.get(service_of(unit), 0.0) + own
            # The counts of a group and of those in it are not of the same moment.
            rest = "checks" if part.startswith("airflow.slice/") else "other"
            seconds[rest] -= own
        elif part == "airflow.slice":
            seconds["checks"] += own
            seconds["other"] -= own
        else:
            seconds["other"] += own
    return {name: max(0.0, own) for name, own in seconds.items()}


def metastore(cluster: Cluster) -> dict[str, float]:
    """Statements and sessions that the metastore's server has counted."""
    calls = sql(cluster, "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements")[0][0]
    sessions = sql(cluster, "SELECT sum(sessions) FROM pg_stat_database")[0][0]
    return {"statements": float(calls), "sessions": float(sessions)}


@contextlib.contextmanager
def alone(cluster: Cluster, others: Sequence[Cluster]) -> Iterator[Api]:
    """``cluster`` runs while the ``others`` are paused."""
    for other in others:
        pause(other, "pause")
    pause(cluster, "unpause")
    api = client(cluster)
    settled = time.monotonic() + SETTLE
    # A task proves that schedulers, workers and api-servers found each other again. The first may come too early.
    for attempt in range(5):
        try:
            start(api, "bench_mapped_1", 1, LONGEST)
            break
        except FailedError:
            print(f"{cluster.name}: warming up failed {attempt + 1} times", flush=True)
    time.sleep(max(0.0, settled - time.monotonic()))
    yield api


def pause(cluster: Cluster, what: str) -> None:
    """Pause or unpause the containers of a cluster, whatever they were."""
    names = [cluster.container(host) for host in HOSTS]
    wanted = {"pause": "running", "unpause": "paused"}[what]
    states = shell("docker", "inspect", "--format", "{{.State.Status}} {{.Name}}", *names).splitlines()
    some = [name for state, name in (line.split(" /") for line in states) if state == wanted]
    if some:
        shell("docker", what, *some)


def start(api: Api, dag: str, runs: int, seconds: float) -> list[str]:
    """Start runs of a DAG and wait for all of them; their names. Raises FailedError when one fails."""
    until(api, lambda: bool(api.patch(f"/dags/{dag}", {"is_paused": False})), 120)
    names: list[str] = []

    def one_more() -> bool:
        names.append(api.post(f"/dags/{dag}/dagRuns", {"logical_date": None})["dag_run_id"])
        return True

    for _ in range(runs):
        until(api, one_more, 60)
    first, last = names[0], names[-1]
    left = set(names)

    def done() -> bool:
        # The first and the last one tell most of the time that there is no need to ask for all.
        for name in (first, last, *sorted(left)):
            if name in left:
                state = api.get(f"/dags/{dag}/dagRuns/{name}")["state"]
                if state == "failed":
                    raise FailedError(f"{api.url}: run {name} of {dag} failed")
                if state != "success":
                    return False
                left.discard(name)
        return not left

    until(api, done, seconds, 1.0)
    return names


def measure(cluster: Cluster, api: Api, workload: Workload) -> Sample:
    """One run of a workload."""
    start(api, workload.dag, 1, LONGEST) if workload.tasks == 1 else None
    before, asked = cpu(cluster), metastore(cluster)
    names: list[str] = []
    for _ in range(workload.times):
        names += start(api, workload.dag, workload.runs, LONGEST)
    after, answered = cpu(cluster), metastore(cluster)
    listed = ",".join(f"'{name}'" for name in names)
    where = f"dag_id = '{workload.dag}' AND run_id IN ({listed})"
    begins = dict(sql(cluster, f"SELECT run_id, extract(epoch FROM queued_at) FROM dag_run WHERE {where}"))
    rows = sql(
        cluster,
        "SELECT run_id, extract(epoch FROM queued_dttm), extract(epoch FROM start_date), "
        f"extract(epoch FROM end_date) FROM task_instance WHERE {where}",
    )
    tasks = workload.tasks * workload.times
    if len(rows) != tasks:
        sys.exit(f"{cluster.name}: {workload.dag} ran {len(rows)} tasks, expected {tasks}")
    took = grown(asked, answered)
    ends = [(row[0], float(row[3])) for row in rows]
    return Sample(
        cluster=cluster.name,
        workload=workload.name,
        tasks=tasks,
        seconds=seconds_of({run: float(at) for run, at in begins.items()}, ends, one_by_one=workload.times > 1),
        waits=tuple(float(row[2]) - float(row[1]) for row in rows),
        cpu=cpu_by_service(before, after),
        statements=int(took["statements"]),
        sessions=int(took["sessions"]),
    )


def seconds_of(begins: Mapping[str, float], ends: Sequence[tuple[str, float]], *, one_by_one: bool) -> float:
    """Seconds that runs took, which began together or ``one_by_one``; ``ends`` are those of their tasks."""
    if not one_by_one:
        return max(end for _, end in ends) - min(begins.values())
    return sum(max(end for name, end in ends if name == run) - begin for run, begin in begins.items())


def idle(cluster: Cluster, seconds: float) -> Sample:
    """What a cluster uses without tasks, as a workload with one task for each second."""
    before, asked = cpu(cluster), metastore(cluster)
    began = time.monotonic()
    time.sleep(seconds)
    after, answered = cpu(cluster), metastore(cluster)
    took = grown(asked, answered)
    passed = time.monotonic() - began
    return Sample(
        cluster=cluster.name,
        workload="idle",
        tasks=round(passed),
        seconds=passed,
        waits=(0.0,),
        cpu=cpu_by_service(before, after),
        statements=int(took["statements"]),
        sessions=int(took["sessions"]),
    )


def count_statements(cluster: Cluster) -> None:
    """Have the metastore's server count statements. Without services that restart, it must have begun so."""
    ready = (
        "SELECT count(*) FROM pg_settings WHERE name = 'shared_preload_libraries' AND setting = 'pg_stat_statements'"
    )
    if sql(cluster, ready)[0][0] != "1":
        sql(cluster, "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
        inside(cluster, "db1", "systemctl restart 'postgresql@*-main.service'")
        time.sleep(2)
    sql(cluster, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")


def containers(cluster: Cluster, playbook: str) -> None:
    """Make or remove the containers of a cluster."""
    named = ("-e", f"lab_name={cluster.lab}", "-e", f"lab_subnet={cluster.subnet}")
    shell("ansible-playbook", "-i", INVENTORY, f"molecule/shared/{playbook}.yml", *named)


def copy_dags(cluster: Cluster, folder: Path) -> None:
    """DAG files of a directory on all hosts of the hand-written cluster."""
    for host in ("master1", "master2", "worker1", "worker2"):
        shell("docker", "cp", f"{folder}/.", f"{cluster.container(host)}:/var/lib/airflow/dags/")


def deploy(names: Sequence[str]) -> None:
    """Both clusters, from bare containers."""
    if "hand-written" in names:
        containers(FLOOR, "destroy")
        containers(FLOOR, "create")
        counting = "SETTINGS=shared_preload_libraries='pg_stat_statements'"
        shell("env", counting, HERE / "baseline.sh", ROOT, FLOOR.lab, FLOOR.subnet)
        copy_dags(FLOOR, HERE / "dags")
        count_statements(FLOOR)
    if "flightdeck" in names:
        containers(Cluster("", "tasks", "172.31.70", "", "", ""), "destroy")
        containers(Cluster("", "tasks", "172.31.70", "", "", ""), "create")
        shell("ansible-playbook", "-i", INVENTORY, "site.yml")
        count_statements(ours())


def show(sample: Sample) -> None:
    """Print one sample."""
    services = ", ".join(
        f"{name} {1000 * seconds / sample.tasks:.0f}"
        for name, seconds in sorted(sample.cpu.items(), key=lambda item: -item[1])
    )
    print(
        f"{sample.cluster:13}{sample.workload:36}{sample.rate:6.2f}/s  wait {quantile(sample.waits, 0.5):6.2f} "
        f"p95 {quantile(sample.waits, 0.95):6.2f}  cpu {sample.cpu_per_task:.3f}  "
        f"sql {sample.statements / sample.tasks:.1f}  sessions {sample.sessions / sample.tasks:.2f}\n"
        f"    ms: {services}",
        flush=True,
    )


def compare(samples: Sequence[Sample], workload: str) -> list[list[str]]:
    """Rows of the table of a workload."""
    rows = []
    base = summary(of(samples, "hand-written", workload)).rate
    for cluster in ("hand-written", "flightdeck"):
        if found := of(samples, cluster, workload):
            got = summary(found)
            times = "" if cluster == "hand-written" else f", {got.rate / base:.2f} times"
            # A task that was deferred was queued again after it began.
            known = got.wait >= 0
            rows.append(
                [
                    workload,
                    cluster,
                    f"{got.rate:.2f}{times}",
                    f"{got.wait:.2f} s" if known else "",
                    f"{got.late:.2f} s" if known else "",
                    f"{got.cpu:.2f} s",
                    f"{got.statements:.0f}",
                    f"{got.sessions:.2f}",
                    str(got.runs),
                ]
            )
    return rows


def by_service(samples: Sequence[Sample], workload: str) -> str:
    """Processor milliseconds for each task by service, on both clusters."""
    both = [summary(of(samples, cluster, workload)).by_service for cluster in ("hand-written", "flightdeck")]
    names = sorted({name for one in both for name in one}, key=lambda name: -max(one.get(name, 0.0) for one in both))
    rows = [[name, *(f"{1000 * one.get(name, 0.0):.0f}" for one in both)] for name in names]
    totals = [f"{1000 * sum(one.values()):.0f}" for one in both]
    return table(["service", "hand-written", "flightdeck"], [*rows, ["all", *totals]])


def text(samples: Sequence[Sample]) -> str:
    """The section of docs/performance.md."""
    both = ("hand-written", "flightdeck")
    workloads = [name for name in WORKLOADS if all(of(samples, cluster, name) for cluster in both)]
    rows = [row for name in workloads for row in compare(samples, name)]
    heads = ["workload", "cluster", "tasks/s", "wait, median", "wait, p95", "CPU per task"]
    heads += ["statements", "sessions", "runs"]
    first = workloads[0]
    theirs, own = (summary(of(samples, cluster, first)).rate for cluster in both)
    parts = [
        "## Tasks",
        f"Written by `benchmarks/throughput.py` on {datetime.date.today():%Y-%m-%d}, {os.cpu_count()} processors. "
        "The reference cluster\nwith TLS, deployed as users get it, beside the script's cluster with Airflow's "
        "defaults and no TLS.\nBoth have two workers with four slots. They are measured in turns, and while one is, "
        "the other is\npaused. Medians of the runs in the last column.",
        table(heads, rows),
        f"Target for {first}: {RATE_COSTS} times, {'met' if own >= RATE_COSTS * theirs else 'missed'}. Wait is from "
        "queued to started: with more tasks than\nslots, most of it is for a slot. Of deferred tasks it is not known. "
        "Statements and sessions are\nthose of the metastore for each task. Single tasks count from the request of "
        "a run to its end.",
        f"Processor milliseconds for each task by service, {first}:",
        by_service(samples, first),
    ]
    if all(of(samples, cluster, "idle") for cluster in both):
        seconds = min(sample.seconds for sample in of(samples, "flightdeck", "idle"))
        parts += [
            f"Processor milliseconds for each second of an idle cluster of nine hosts, in {seconds:.0f} s. Health\n"
            "checks run once a minute:",
            by_service(samples, "idle"),
        ]
    return "\n\n".join(parts)


SET_OPTIONS = """cp -p {file} {file}.before
{python} - <<'END'
import configparser
config = configparser.RawConfigParser()
config.read("{file}")
for name, value in {options}:
    section, option = name.split(".")
    config.has_section(section) or config.add_section(section)
    config.set(section, option, value)
with open("{file}", "w") as stream:
    config.write(stream)
END
"""
RESTART = "systemctl restart $(systemctl list-units --plain --no-legend --type=service 'airflow-*' | cut -d' ' -f1)"


@contextlib.contextmanager
def with_options(cluster: Cluster, options: Sequence[Sequence[str]]) -> Iterator[None]:
    """Other options in airflow.cfg of the deployed cluster for a time."""
    hosts = ("master1", "master2", "worker1", "worker2")
    file = "/etc/airflow/airflow.cfg"
    try:
        for host in hosts:
            inside(cluster, host, SET_OPTIONS.format(file=file, python="python3", options=list(map(list, options))))
            inside(cluster, host, RESTART)
        yield
    finally:
        for host in hosts:
            inside(cluster, host, f"[ ! -e {file}.before ] || mv {file}.before {file}; {RESTART}")


def attempt(options: Sequence[str], workloads: Sequence[Workload], idle_seconds: float) -> None:
    """Measure the deployed cluster with other options and print what comes of them."""
    cluster = ours()
    with with_options(cluster, [option.split("=", 1) for option in options]):
        with alone(cluster, [FLOOR]) as api:
            for workload in workloads:
                show(measure(cluster, api, workload))
            if idle_seconds:
                show(idle(cluster, idle_seconds))


def run(
    names: Sequence[str],
    workloads: Sequence[Workload],
    rounds: int,
    idle_seconds: float,
    keep: Callable[[Sample], None],
) -> None:
    """Measure, clusters in turns, and ``keep`` each sample."""
    clusters = [cluster for cluster in (FLOOR, *([ours()] if "flightdeck" in names else [])) if cluster.name in names]
    for number in range(rounds):
        for cluster in clusters[:: 1 if number % 2 == 0 else -1]:
            with alone(cluster, [other for other in clusters if other != cluster]) as api:
                for workload in workloads:
                    keep(measure(cluster, api, workload))
                if idle_seconds:
                    keep(idle(cluster, idle_seconds))
    for cluster in clusters:
        pause(cluster, "unpause")


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="Measure tasks.")
    parser.add_argument("what", choices=["deploy", "run", "idle", "try", "remove", "page"])
    parser.add_argument("--only", action="append", choices=list(SHORT), help="these workloads")
    parser.add_argument("--cluster", action="append", choices=["hand-written", "flightdeck"], help="this cluster alone")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=0.0, help="measure an idle cluster for so long, too")
    parser.add_argument("--set", action="append", default=[], help="section.option=value of airflow.cfg, for `try`")
    parser.add_argument("--keep", type=Path, default=RESULTS, help="where samples are added to")
    arguments = parser.parse_args()
    names = arguments.cluster or ["hand-written", "flightdeck"]
    if arguments.what == "deploy":
        deploy(names)
    elif arguments.what == "remove":
        for cluster in (FLOOR, Cluster("", "tasks", "172.31.70", "", "", "")):
            containers(cluster, "destroy")
    elif arguments.what == "try":
        attempt(arguments.set, [WORKLOADS[SHORT[name]] for name in arguments.only or ()], arguments.seconds)
    else:
        workloads = [WORKLOADS[SHORT[name]] for name in arguments.only or SHORT]
        kept = [Sample(**one) for one in json.loads(arguments.keep.read_text())] if arguments.keep.exists() else []
        if arguments.what != "page":
            some = [] if arguments.what == "idle" else workloads
            seconds = arguments.seconds or (0.0 if arguments.only else IDLE_SECONDS)
            arguments.keep.parent.mkdir(exist_ok=True)

            def keep(sample: Sample) -> None:
                show(sample)
                kept.append(sample)
                arguments.keep.write_text(json.dumps([asdict(one) for one in kept]))

            run(names, some, arguments.rounds, seconds, keep)
        if arguments.what == "page" or (arguments.what == "run" and not arguments.only):
            PAGE.write_text(with_section(PAGE.read_text(encoding="utf-8"), "tasks", text(kept)), encoding="utf-8")


if __name__ == "__main__":
    main()
