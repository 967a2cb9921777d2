"""Measure how many tasks a cluster runs, how long they wait, and what they cost, side by side with the hand-written
cluster of baseline.sh with Airflow's defaults and without TLS: nine hosts each, on one machine, in turns.

    python benchmarks/throughput.py deploy             both clusters
    python benchmarks/throughput.py run                all workloads in turns, write docs/performance.md
    python benchmarks/throughput.py run --only chain   one workload, print it, and write no page
    python benchmarks/throughput.py idle               what the clusters use without tasks
    python benchmarks/throughput.py try --only mapped --set scheduler.max_tis_per_query=64
                                                       the deployed cluster with other options for a time
    python benchmarks/throughput.py files              200 DAG files of ten tasks, which begin when they are deployed
    python benchmarks/throughput.py scale              the deployed cluster with more hosts: schedulers, workers, slots
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
import shutil
import subprocess
import sys
import tempfile
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
# With the hosts that `scale` adds.
LARGER = (INVENTORY, HERE / "inventory_scale")
# What would follow from the directory of an inventory.
PATHS = {
    "airflow_ca_file": INVENTORY / ".airflow_ca.crt",
    "airflow_certificates_file": INVENTORY / ".airflow_certificates.yml",
    "airflow_dags_dir": HERE / "dags",
    "airflow_secrets_file": INVENTORY / ".airflow_secrets.yml",
}
PAGE = ROOT / "docs/performance.md"
RESULTS = ROOT / "artefacts/throughput.json"
ROUNDS = 3
# What is aimed at: tasks per second, as a ratio to the hand-written cluster.
RATE_COSTS = 1.3
# Two rounds of health checks.
IDLE_SECONDS = 150.0
# Its multiples are spread evenly between whole numbers.
GOLDEN = 0.618
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
    # How long each task holds its slot, where that decides.
    seconds: float = 0.0


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("200 mapped tasks", "bench_mapped_200", 1, 200),
        Workload("50 runs of a chain of five", "bench_chain", 50, 250),
        Workload("50 deferred tasks", "bench_deferred", 1, 50),
        Workload("single tasks, one after the other", "bench_mapped_1", 1, 1, times=20),
        Workload("1,000 mapped tasks", "bench_mapped_1000", 1, 1000),
    )
}
# DAG files, each with as many tasks. They are scheduled, not started by a request.
FILES, TASKS_OF_FILE = 200, 10
OF_FILES = f"{FILES} DAG files of ten tasks"
FILE = """from airflow.sdk import dag
from bench_tasks import LIMITS, trivial


@dag(dag_id="bench_file_{number}", schedule="@once", is_paused_upon_creation=False, **LIMITS)
def tasks():
    for number in range({tasks}):
        trivial.override(task_id=f"task_{{number}}")(number)


tasks()
"""


@dataclass(frozen=True)
class Point:
    """A size of the deployed cluster, with slots for each worker, and the DAG that it is measured with."""

    schedulers: int
    workers: int
    slots: int
    tuning: str
    workload: Workload

    @property
    def variables(self) -> tuple[str, ...]:
        """What the inventory says of it, as options of ansible-playbook."""
        return ("-e", f"airflow_worker_concurrency={self.slots}", "-e", f"airflow_tuning={self.tuning}")


def waiting(tasks: int) -> Workload:
    """Tasks that hold a slot for 20 s each, and use hardly a processor."""
    return Workload(f"{tasks} tasks of 20 s", f"bench_sleeping_{tasks}", 1, tasks, seconds=20.0)


TRIVIAL = WORKLOADS["200 mapped tasks"]
# Slots of all workers decide, until core.parallelism (32 for each scheduler) does; then the processors.
POINTS = (
    Point(1, 4, 4, "default", TRIVIAL),
    Point(2, 4, 4, "default", TRIVIAL),
    Point(3, 4, 4, "default", TRIVIAL),
    Point(2, 1, 4, "default", TRIVIAL),
    Point(2, 2, 4, "default", TRIVIAL),
    Point(2, 1, 4, "default", waiting(16)),
    Point(2, 2, 4, "default", waiting(64)),
    Point(2, 4, 4, "default", waiting(64)),
    Point(2, 4, 16, "default", waiting(256)),
    Point(1, 4, 32, "default", waiting(256)),
    Point(2, 4, 32, "default", waiting(512)),
    Point(3, 4, 32, "default", waiting(512)),
    Point(1, 4, 32, "throughput", waiting(512)),
    Point(2, 4, 32, "throughput", waiting(512)),
)
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
    secrets = yaml.safe_load(PATHS["airflow_secrets_file"].read_text(encoding="utf-8"))
    return Cluster(
        name="flightdeck",
        lab="tasks",
        subnet="172.31.70",
        url="https://172.31.70.10:8443",
        user="admin",
        password=str(secrets["airflow_admin_password"]),
        ca_file=str(PATHS["airflow_ca_file"]),
    )


def hosts_of(cluster: Cluster) -> list[str]:
    """The hosts of a cluster that there are."""
    prefix = cluster.container("")
    names = shell("docker", "ps", "--all", "--filter", f"name=^{prefix}", "--format", "{{.Names}}").split()
    return sorted(name.removeprefix(prefix) for name in names)


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
    for host in hosts_of(cluster):
        group = cgroup(cluster.container(host))
        units = [unit for unit in group.rglob("*.service") if SERVICE.match(unit.name)]
        for part in (group, group / "airflow.slice", *units):
            seconds[f"{host}/{part.relative_to(group)}"] = used(part)
    return seconds


def cpu_by_service(took: Mapping[str, float]) -> dict[str, float]:
    """Processor seconds by service, from those by control group. `checks` are our health checks, `other` is the rest:
    systemd, timers, and the queries of this program."""
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
    change_to(cluster, others)
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


def change_to(cluster: Cluster, others: Sequence[Cluster]) -> None:
    """Pause the ``others``, and wake ``cluster``, which a measurement of one of them has paused."""
    for other in others:
        pause(other, "pause")
    pause(cluster, "unpause")


def pause(cluster: Cluster, what: str) -> None:
    """Pause or unpause the containers of a cluster, whatever they were."""
    names = [cluster.container(host) for host in hosts_of(cluster)]
    if not names:
        return
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
    for number in range(workload.times):
        # Spread over a second. Requests at one interval would meet schedulers, which sleep for a second, at the same
        # moment of it each time.
        time.sleep(number * GOLDEN % 1)
        names += start(api, workload.dag, workload.runs, LONGEST)
    after, answered = cpu(cluster), metastore(cluster)
    listed = ",".join(f"'{name}'" for name in names)
    where = f"dag_id = '{workload.dag}' AND run_id IN ({listed})"
    return sample_of(cluster, workload, where, grown(before, after), grown(asked, answered))


def sample_of(
    cluster: Cluster, workload: Workload, where: str, seconds: Mapping[str, float], asked: Mapping[str, float]
) -> Sample:
    """What the metastore says of the runs ``where`` a condition holds, which cost so many processor ``seconds`` by
    control group, and ``asked`` the metastore so much."""
    begins = dict(sql(cluster, f"SELECT run_id, extract(epoch FROM queued_at) FROM dag_run WHERE {where}"))
    rows = sql(
        cluster,
        "SELECT run_id, extract(epoch FROM queued_dttm), extract(epoch FROM start_date), "
        f"extract(epoch FROM end_date) FROM task_instance WHERE {where}",
    )
    tasks = workload.tasks * workload.times
    if len(rows) != tasks:
        sys.exit(f"{cluster.name}: {workload.dag} ran {len(rows)} tasks, expected {tasks}")
    ends = [(row[0], float(row[3])) for row in rows]
    return Sample(
        cluster=cluster.name,
        workload=workload.name,
        tasks=tasks,
        seconds=seconds_of({run: float(at) for run, at in begins.items()}, ends, one_by_one=workload.times > 1),
        waits=tuple(float(row[2]) - float(row[1]) for row in rows),
        cpu=cpu_by_service(seconds),
        statements=int(asked["statements"]),
        sessions=int(asked["sessions"]),
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
        cpu=cpu_by_service(grown(before, after)),
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


def ansible(playbook: str, *arguments: str | Path, inventories: Sequence[Path] = (INVENTORY,)) -> None:
    """Run a playbook for the deployed cluster."""
    sources = (part for path in inventories for part in ("-i", path))
    own = (part for name, path in PATHS.items() for part in ("-e", f"{name}={path}"))
    shell("ansible-playbook", *sources, playbook, *own, *arguments)


def containers(cluster: Cluster, playbook: str, inventories: Sequence[Path] = (INVENTORY,)) -> None:
    """Make or remove the containers of a cluster."""
    named = ("-e", f"lab_name={cluster.lab}", "-e", f"lab_subnet={cluster.subnet}")
    ansible(f"molecule/shared/{playbook}.yml", *named, inventories=inventories)


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
        ansible("site.yml")
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
    workloads = [name for name in (*WORKLOADS, OF_FILES) if all(of(samples, cluster, name) for cluster in both)]
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
        "a run to its end,\nand are spread over a second, because a scheduler with nothing to do sleeps for a second.",
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
    change_to(cluster, [FLOOR])
    with with_options(cluster, [option.split("=", 1) for option in options]):
        with alone(cluster, [FLOOR]) as api:
            for workload in workloads:
                show(measure(cluster, api, workload))
            if idle_seconds:
                show(idle(cluster, idle_seconds))


def measure_files(cluster: Cluster, api: Api) -> Sample:
    """Deploy many DAG files, each of which is scheduled once."""
    before, asked = cpu(cluster), metastore(cluster)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(HERE / "dags", folder, dirs_exist_ok=True)
        for number in range(FILES):
            (Path(folder) / f"bench_file_{number}.py").write_text(FILE.format(number=number, tasks=TASKS_OF_FILE))
        if cluster is FLOOR:
            copy_dags(cluster, Path(folder))
        else:
            ansible("playbooks/deploy_dags.yml", "-e", f"airflow_dags_dir={folder}")
    where = "dag_id LIKE 'bench_file_%'"
    ended = f"SELECT count(*) FROM dag_run WHERE {where} AND state = 'success'"
    until(api, lambda: sql(cluster, ended) == [[str(FILES)]], LONGEST, 2.0)
    took, answered = grown(before, cpu(cluster)), grown(asked, metastore(cluster))
    return sample_of(cluster, Workload(OF_FILES, "", FILES, FILES * TASKS_OF_FILE), where, took, answered)


def scale(keep: Callable[[Point, Sample], None]) -> None:
    """Add hosts to the deployed cluster, and measure it with some of their services."""
    cluster = ours()
    change_to(cluster, [FLOOR])
    containers(cluster, "create", LARGER)
    for point in POINTS:
        ansible("site.yml", *point.variables, inventories=LARGER)
        for host in hosts_of(cluster):
            kind, number = host[:-1], int(host[-1])
            most = {"master": point.schedulers, "worker": point.workers}.get(kind, number)
            if number > most:
                unit = {"master": "airflow-scheduler", "worker": "airflow-worker@*"}[kind]
                inside(cluster, host, f"systemctl stop '{unit}.service'")
        with alone(cluster, []) as api:
            keep(point, measure(cluster, api, point.workload))
    ansible("site.yml", inventories=LARGER)


def scale_text(measured: Mapping[Point, Sample]) -> str:
    """The section of docs/performance.md about sizes."""
    rows = []
    for point, got in measured.items():
        slots, seconds = point.workers * point.slots, point.workload.seconds
        rows.append(
            [
                point.workload.name,
                str(point.schedulers),
                str(point.workers),
                str(slots),
                f"`{point.tuning}`",
                f"{got.rate:.2f}",
                f"{got.rate * seconds / slots:.0%}" if seconds else "",
                "" if seconds else f"{got.cpu_per_task:.2f} s",
            ]
        )
    heads = ["workload", "schedulers", "workers", "slots of all", "`airflow_tuning`", "tasks/s", "slots in use"]
    return "\n\n".join(
        (
            "## Size",
            f"Written by `benchmarks/throughput.py scale` on {datetime.date.today():%Y-%m-%d}, {os.cpu_count()} "
            "processors for all hosts.\nThe reference cluster with up to three schedulers and four workers, one "
            "run of each line.\nSlots in use are the average from the request to the last end. Tasks of 20 s wait, "
            "and hardly use\na processor.",
            table([*heads, "CPU per task"], rows),
        )
    )


def run(
    names: Sequence[str],
    workloads: Sequence[Workload],
    rounds: int,
    idle_seconds: float,
    keep: Callable[[Sample], None],
    files: bool = False,
) -> None:
    """Measure, clusters in turns, and ``keep`` each sample. With ``files``, many DAG files as well."""
    clusters = [cluster for cluster in (FLOOR, *([ours()] if "flightdeck" in names else [])) if cluster.name in names]
    for number in range(rounds):
        for cluster in clusters[:: 1 if number % 2 == 0 else -1]:
            with alone(cluster, [other for other in clusters if other != cluster]) as api:
                for workload in workloads:
                    keep(measure(cluster, api, workload))
                if files:
                    keep(measure_files(cluster, api))
                if idle_seconds:
                    keep(idle(cluster, idle_seconds))
    for cluster in clusters:
        pause(cluster, "unpause")


def write(section: str, content: str) -> None:
    """Write a section of docs/performance.md."""
    PAGE.write_text(with_section(PAGE.read_text(encoding="utf-8"), section, content), encoding="utf-8")


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="Measure tasks.")
    parser.add_argument("what", choices=["deploy", "run", "idle", "files", "scale", "try", "remove", "page"])
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
            containers(cluster, "destroy", LARGER)
    elif arguments.what == "scale":
        measured: dict[Point, Sample] = {}

        def keep_point(point: Point, sample: Sample) -> None:
            show(sample)
            measured[point] = sample
            write("scale", scale_text(measured))

        scale(keep_point)
    elif arguments.what == "try":
        attempt(arguments.set, [WORKLOADS[SHORT[name]] for name in arguments.only or ()], arguments.seconds)
    else:
        workloads = [WORKLOADS[SHORT[name]] for name in arguments.only or SHORT]
        kept = [Sample(**one) for one in json.loads(arguments.keep.read_text())] if arguments.keep.exists() else []
        if arguments.what != "page":
            files = arguments.what == "files"
            some = [] if arguments.what == "idle" or files else workloads
            seconds = 0.0 if files else arguments.seconds or (0.0 if arguments.only else IDLE_SECONDS)
            arguments.keep.parent.mkdir(exist_ok=True)

            def keep(sample: Sample) -> None:
                show(sample)
                kept.append(sample)
                arguments.keep.write_text(json.dumps([asdict(one) for one in kept]))

            # A DAG that was scheduled once is not scheduled again.
            run(names, some, 1 if files else arguments.rounds, seconds, keep, files)
        if arguments.what == "page" or (arguments.what == "run" and not arguments.only):
            write("tasks", text(kept))


if __name__ == "__main__":
    main()
