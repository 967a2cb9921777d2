"""Measure the collection on the nine hosts of the lab `bench`, side by side with the hand-written script, and write
docs/performance.md.

    python benchmarks/run.py             all of it
    python benchmarks/run.py --only ssh  print what SSH costs, and write nothing

Takes about 40 minutes on two processors; nothing else should run meanwhile. The script and the cold deployment
alternate, as do the two ways to reach the hosts, and the page has their medians, because each moves by 20 per cent from
one run to the next; every other figure is one run. Read the ratios.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from figures import section, with_section

HERE = Path(__file__).parent
ROOT = HERE.parent
INVENTORY = HERE / "inventory"
# The same five hosts as root through `docker exec`, and over SSH as a plain user whom sudo asks for a password.
FIVE, FIVE_SSH = HERE / "inventory_five", HERE / "inventory_ssh"
WORKERS = (2, 4, 8, 16)
ROUNDS = 3
# What is aimed at: a cold deployment and one over SSH, as ratios; a run without a change, in passes of `setup`; seconds
# for each worker that it has to look at, and until a new worker has finished a task.
COLD_COSTS, SSH_COSTS, AGAIN_COSTS = 1.2, 1.15, 4
WORKER_COSTS, JOIN_COSTS = 1.4, 20


@dataclass
class Result:
    """What was measured, in seconds where not said otherwise."""

    script: list[float] = field(default_factory=list)
    cold: list[float] = field(default_factory=list)
    five: list[float] = field(default_factory=list)
    five_ssh: list[float] = field(default_factory=list)
    setup: float = 0.0
    again: float = 0.0
    join: float = 0.0
    join_tasks: int = 0
    growth: dict[int, float] = field(default_factory=dict)


def timed(*command: str | Path, quiet: bool = True) -> tuple[float, str]:
    """Seconds that a command takes, and its output. Ends the program when it fails."""
    print("  $", *[str(part).replace(f"{ROOT}/", "") for part in command], flush=True)
    started = time.monotonic()
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=quiet, text=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode:
        sys.exit(f"failed:\n{(done.stdout or '')[-3000:]}{(done.stderr or '')[-2000:]}")
    print(f"    {seconds:.1f} s", flush=True)
    return seconds, done.stdout or ""


def playbook(
    path: str, *arguments: str | Path, more: Path | None = None, inventory: Path = INVENTORY
) -> tuple[float, str]:
    """Run a playbook of the repository on the bench."""
    inventories = ["-i", str(inventory)] + (["-i", str(more)] if more else [])
    return timed("ansible-playbook", *inventories, path, *arguments)


def first_run(inventory: Path = INVENTORY) -> float:
    """Seconds that verify.yml takes until the canary's run has succeeded; its later checks are not part of a
    deployment."""
    started = time.monotonic()
    command = ["ansible-playbook", "-i", str(inventory), "playbooks/verify.yml"]
    seconds = 0.0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            if line.startswith("PLAY [Collect the status of the cluster]"):
                seconds = time.monotonic() - started
    if process.returncode or not seconds:
        sys.exit("verify.yml failed")
    print(f"    the canary succeeded after {seconds:.1f} s", flush=True)
    return seconds


def fresh(inventory: Path = INVENTORY) -> None:
    """Bare containers."""
    playbook("molecule/shared/destroy.yml", inventory=inventory)
    playbook("molecule/shared/create.yml", inventory=inventory)


def cold(cache: Path, inventory: Path = INVENTORY) -> float:
    """Seconds from bare containers to the first finished run, with nothing cached on the controller."""
    shutil.rmtree(cache, ignore_errors=True)
    fresh(inventory)
    seconds, _ = playbook("site.yml", "-e", f"airflow_release_cache={cache}", inventory=inventory)
    return seconds + first_run(inventory)


def measure_ssh(folder: Path, result: Result) -> None:
    """What it costs to reach the hosts over SSH."""
    for _ in range(ROUNDS):
        for inventory, seconds in ((FIVE, result.five), (FIVE_SSH, result.five_ssh)):
            seconds.append(cold(folder / "cache", inventory))
            playbook("molecule/shared/destroy.yml", inventory=inventory)


def more_workers(folder: Path, total: int) -> Path:
    """An inventory with the workers beyond the second."""
    lines = ["all:", "  children:", "    airflow_worker:", "      hosts:"]
    for number in range(3, total + 1):
        name = f"worker{number}"
        lines.append(f'        {name}: {{airflow_address: "{{{{ lab_subnet }}}}.{200 + number}"}}')
    path = folder / f"workers{total}.yml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def measure(folder: Path) -> Result:
    """All measurements, in the order that needs the fewest deployments."""
    result = Result()
    cache = ("-e", f"airflow_release_cache={folder}/cache")
    for _ in range(ROUNDS):
        fresh()
        seconds, _ = timed(HERE / "baseline.sh", ROOT)
        result.script.append(seconds)
        result.cold.append(cold(folder / "cache"))
    playbook("site.yml", *cache)
    result.again, _ = playbook("site.yml", *cache)
    result.setup, _ = timed("ansible", "all", "-i", INVENTORY, "-m", "ansible.builtin.setup")
    result.growth[2] = result.again
    for total in WORKERS[1:]:
        more = more_workers(folder, total)
        if total == WORKERS[1]:
            first = more_workers(folder, 3)
            playbook("molecule/shared/create.yml", more=first)
            join, output = playbook("site.yml", "--limit", "worker3", *cache, more=first)
            ran, _ = playbook("playbooks/verify.yml", more=first)
            result.join = join + ran
            counts = re.findall(r"^(\S+)\s+: ok=(\d+)", output, re.MULTILINE)
            result.join_tasks = sum(int(count) for host, count in counts if host != "worker3")
        playbook("molecule/shared/create.yml", more=more)
        playbook("site.yml", *cache, more=more)
        result.growth[total], _ = playbook("site.yml", *cache, more=more)
    playbook("molecule/shared/destroy.yml")
    measure_ssh(folder, result)
    return result


def plot(result: Result) -> str:
    """Growth of the no-op run as an SVG picture."""
    width, height, left, bottom = 560, 300, 60, 40
    top = max(result.growth.values()) * 1.15
    most = max(result.growth)

    def point(workers: int, seconds: float) -> tuple[float, float]:
        return left + workers / most * (width - left - 20), height - bottom - seconds / top * (height - bottom - 20)

    places = [point(workers, seconds) for workers, seconds in sorted(result.growth.items())]
    line = " ".join(f"{x:.0f},{y:.0f}" for x, y in places)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<path d="M{left},20 V{height - bottom} H{width - 20}" stroke="black" fill="none"/>',
        f'<polyline points="{line}" stroke="#0a7" stroke-width="2" fill="none"/>',
        f'<text x="{width / 2:.0f}" y="{height - 8}">workers</text><text x="8" y="14">no-op run, seconds</text>',
    ]
    for (x, y), (workers, seconds) in zip(places, sorted(result.growth.items()), strict=True):
        parts.append(
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4" fill="#0a7"/>'
            f'<text x="{x - 8:.0f}" y="{y - 10:.0f}">{seconds:.0f}</text>'
        )
        parts.append(f'<text x="{x - 4:.0f}" y="{height - bottom + 16}">{workers}</text>')
    return "\n".join([*parts, "</svg>\n"])


def pairs(some: list[float], others: list[float]) -> str:
    """Two rows of seconds side by side, in the order in which they were measured."""
    return ", ".join(f"{one:.0f} against {other:.0f} s" for one, other in zip(some, others, strict=True))


def page(result: Result) -> str:
    """The page docs/performance.md."""
    slope = (result.growth[16] - result.growth[2]) / 14
    early = (result.growth[4] - result.growth[2]) / 2
    late = (result.growth[16] - result.growth[8]) / 8
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    growth = "\n".join(f"| {workers} | {seconds:.0f} s |" for workers, seconds in sorted(result.growth.items()))

    script, own = statistics.median(result.script), statistics.median(result.cold)
    docker, ssh = statistics.median(result.five), statistics.median(result.five_ssh)
    rounds = pairs(result.cold, result.script)

    def verdict(met: bool) -> str:
        return "met" if met else "missed"

    return f"""# Performance

Written by `make bench`. One run of it on {datetime.date.today():%Y-%m-%d}, {os.cpu_count()} processors,
{memory:.0f} GiB of memory, Linux {platform.release()}, all hosts as containers on that machine:
read the ratios, not the seconds.

| what | measured | target | |
|---|---|---|---|
| the hand-written script, bare containers to a successful DAG run | {script:.0f} s | | |
| the same with `site.yml` and the canary of `verify.yml`, nothing cached on the controller | {own:.0f} s, \
{own / script:.2f} times the script | at most {COLD_COSTS} times | {verdict(own <= COLD_COSTS * script)} |
| five of the hosts the same way, as root through `docker exec` | {docker:.0f} s | | |
| the same over SSH, as a user whom sudo asks for a password | {ssh:.0f} s, {ssh / docker:.2f} times | \
at most {SSH_COSTS} times | {verdict(ssh <= SSH_COSTS * docker)} |
| one `ansible all -m setup` on the nine hosts | {result.setup:.1f} s | | |
| second `site.yml`, nothing to change | {result.again:.0f} s, {result.again / result.setup:.1f} times `setup` | \
at most {AGAIN_COSTS} times | {verdict(result.again <= AGAIN_COSTS * result.setup)} |
| each added worker in that run, at 20 forks | {slope:.2f} s | at most {WORKER_COSTS} s | \
{verdict(slope <= WORKER_COSTS)} |
| add a worker, from inventory edit to its first finished task (`site.yml --limit`, then `verify.yml` whole) | \
{result.join:.0f} s | at most {JOIN_COSTS} s | {verdict(result.join <= JOIN_COSTS)} |
| task executions on other hosts for it | {result.join_tasks} | none | {verdict(not result.join_tasks)} |

The script (`benchmarks/baseline.sh`) installs the same packages on the same containers, builds the
release once and copies it, and does everything else at once, without a second run, checks, secrets
or health in mind. It encrypts nothing, so `airflow_tls` is off in this measurement.

Both alternate from bare containers, and the table has the medians:
{rounds}.

So do SSH and `docker exec`: {pairs(result.five_ssh, result.five)}.

## Growth

| workers | `site.yml`, nothing to change |
|---|---|
{growth}

![No-op run against the number of workers](performance.svg)

Per added worker {early:.2f} s from 2 to 4, {late:.2f} s from 8 to 16.

## What the times consist of

Not measured by each run: both were traced on 2026-11-30.

Controller and hosts share the processors of one machine, which were busy for 92 % of the cold
deployment, so it costs what all of them compute together: 200 processor seconds, where the script
needs 127. The controller's own part was 29. On a host, a module costs 0.2 s whatever it does. Hosts
with processors of their own compute at once.

The second run executed 59 modules on the nine hosts. Each of 275 other executions of a task, most
of which found nothing to do, was a process of the controller. The controller used 20 processor
seconds, 25 without the callback `flightdeck.airflow.preload`; the hosts used 14. A pass of `setup`
executes one module on each host.

A lab that begins right after another one was removed was slower before 2026-11-30: see
[the containers](testing.md#the-containers).
"""


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="Measure the collection.")
    parser.add_argument("--only", choices=["ssh"], help="measure this alone, print it, and write no page")
    only = parser.parse_args().only
    folder = Path(tempfile.mkdtemp(prefix="flightdeck-bench-"))
    try:
        if only:
            result = Result()
            measure_ssh(folder, result)
            ratio = statistics.median(result.five_ssh) / statistics.median(result.five)
            print(f"SSH against docker exec: {pairs(result.five_ssh, result.five)}; medians {ratio:.2f} to 1")
            return
        result = measure(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(result)
    (ROOT / "docs/performance.svg").write_text(plot(result), encoding="utf-8")
    target = ROOT / "docs/performance.md"
    tasks = section(target.read_text(encoding="utf-8"), "tasks")
    target.write_text(with_section(page(result), "tasks", tasks) if tasks else page(result), encoding="utf-8")


if __name__ == "__main__":
    main()
