"""Stores what the faults showed, a line per run, and writes the worst of all runs into docs/reliability.md and
docs/scheduler-failover.md.

python tests/faults/report.py artefacts/faults
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "molecule/shared/tests")]

import checker
import lease

DOCS = HERE.parents[1] / "docs"
BEGIN, END = "<!-- results -->\n", "<!-- end of results -->\n"
LAYERS = ("http", "metastore", "broker")
# What the table needs of a layer and of the tasks; the histories stay in the artefacts.
OF_LAYER = ("outage_seconds", "target_seconds", "acknowledged", "lost")
# Columns of a line of Markdown that is no row of a table.
COLUMNS = 100
ABOUT = (
    "Seconds are the worst of all runs: the longest time without an answer of the UI and API, of the metastore and "
    "of the "
    "broker, and the longest time without a new task. Two new tasks are due every four seconds."
)
ABOUT_LEASE = "Seconds are the worst of all runs."
OF_COMMITS = ("gap_seconds", "target_seconds", "commits", "stale", "epochs")
OF_TASKS = (
    "without_new_seconds",
    "target_seconds",
    "retry_seconds",
    "stray_seconds",
    "tries",
    "double_starts",
    "failed",
)


def result(verdict: dict[str, Any]) -> dict[str, Any]:
    """The stored part of a verdict."""
    kept = {name: verdict[name] for name in ("fault", "title", "at", "broken", "versions")}
    if verdict.get("times", 1) > 1:
        kept["times"] = verdict["times"]
    for name, fields in (*((layer, OF_LAYER) for layer in LAYERS), ("tasks", OF_TASKS), (checker.COMMITS, OF_COMMITS)):
        if name not in verdict:
            continue
        kept[name] = {field: verdict[name][field] for field in fields if field in verdict[name]}
    return kept


def merged(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every run once, in the order of faults and times."""
    runs = {(run["fault"], run["at"]): run for run in [*old, *new]}
    return [runs[key] for key in sorted(runs, key=lambda key: (order(key[0]), key[1]))]


def order(fault: str) -> tuple[int, str]:
    """F9 before F28a before F28b before F30."""
    number = re.sub(r"\D", "", fault)
    return int(number), fault


def times(runs: list[dict[str, Any]]) -> int:
    """How many runs there were. A line may stand for several, of which only the worst is known."""
    return sum(run.get("times", 1) for run in runs)


def by_fault(runs: list[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    """The runs of each fault."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for run in runs:
        found[run["fault"]].append(run)
    return found.values()


def worst(measured: list[dict[str, Any]], what: str) -> str:
    """The longest of these times, with what is promised. A run of a suite that did not measure it yet has none."""
    seconds = [each[what] for each in measured if what in each]
    target = measured[-1].get("target_seconds")
    if not seconds:
        return "not measured"
    mark = "" if target is None or max(seconds) <= target else " **missed**"
    return f"{max(seconds):g} s" + (f" of {target:g}" if target is not None else "") + mark


def table(runs_of_all: list[dict[str, Any]]) -> str:
    """A row per fault: how often, and the worst of what was seen."""
    lines = [
        "| fault | times | UI and API | metastore | broker | new tasks | writes lost of acknowledged | tries begun "
        "twice | tasks failed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for runs in by_fault(runs_of_all):
        cells = [f"{runs[-1]['fault']}: {runs[-1]['title']}", str(times(runs))]
        for layer in LAYERS:
            cells.append(worst([run[layer] for run in runs], "outage_seconds"))
        retry = max(run["tasks"].get("retry_seconds", 0) for run in runs)
        again = f", a lost one again {retry:g} s" if retry else ""
        cells.append(worst([run["tasks"] for run in runs], "without_new_seconds") + again)
        stored = [run[layer] for run in runs for layer in LAYERS[1:]]
        cells.append(f"{sum(each['lost'] for each in stored)} of {sum(each['acknowledged'] for each in stored)}")
        tries = [run["tasks"] for run in runs]
        cells.append(f"{sum(each['double_starts'] for each in tries)} of {sum(each['tries'] for each in tries)}")
        cells.append(str(sum(each["failed"] for each in tries)))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *end(runs_of_all, ABOUT)]) + "\n"


def lease_table(runs_of_all: list[dict[str, Any]]) -> str:
    """A row per fault of schedulers with a leader lease, with its present title."""
    titles = {fault.name: fault.title for fault in lease.FAULTS}
    lines = [
        "| fault | times | longest time without a commit of a scheduler | stale commits | new epochs | new tasks |",
        "|---|---|---|---|---|---|",
    ]
    for runs in by_fault(runs_of_all):
        seen = [run[checker.COMMITS] for run in runs]
        gap = worst(seen, "gap_seconds")
        stale = f"{sum(each['stale'] for each in seen)} of {sum(each['commits'] for each in seen)}"
        new = worst([run["tasks"] for run in runs], "without_new_seconds")
        epochs = sum(each["epochs"] - 1 for each in seen)
        fault = runs[-1]["fault"]
        cells = [f"{fault}: {titles[fault]}", str(times(runs)), gap, stale, str(epochs), new]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *end(runs_of_all, ABOUT_LEASE)]) + "\n"


def end(runs: list[dict[str, Any]], about: str) -> list[str]:
    """Dates, versions and what was not kept."""
    dates = sorted(time.strftime("%Y-%m-%d", time.gmtime(run["at"])) for run in runs)
    versions = sorted({f"{name} {version}" for run in runs for name, version in run["versions"].items()})
    ran = f"{times(runs)} runs, {' to '.join(dict.fromkeys((dates[0], dates[-1])))}, with {', '.join(versions)}."
    lines = [*(textwrap.fill(text, COLUMNS, break_on_hyphens=False) for text in (ran, about)), ""]
    missed = [f"- {run['fault']}: {reason[:300]}" for run in runs for reason in run["broken"]]
    return [
        *lines,
        *(
            ["Promises that were not kept:", "", *missed]
            if missed
            else ["Every promise was kept in every run of the table."]
        ),
    ]


def write(
    verdicts: list[dict[str, Any]], results: Path, page: Path, show: Callable[[list[dict[str, Any]]], str]
) -> None:
    """Add ``verdicts`` to ``results``, and show all of them on a page."""
    old = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()] if results.exists() else []
    runs = merged(old, [result(verdict) for verdict in verdicts])
    results.write_text("".join(json.dumps(run) + "\n" for run in runs), encoding="utf-8")
    before, _mark, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _old, _mark, after = rest.partition(END)
    page.write_text(before + BEGIN + show(runs) + END + after, encoding="utf-8")


def main() -> None:
    """Entry point."""
    verdicts = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(Path(sys.argv[1]).glob("*/verdict.json"))
    ]
    if not verdicts:
        raise SystemExit(f"no verdict below {sys.argv[1]}")
    of_lease = [verdict for verdict in verdicts if checker.COMMITS in verdict]
    others = [verdict for verdict in verdicts if checker.COMMITS not in verdict]
    if of_lease:
        write(of_lease, HERE / "lease.jsonl", DOCS / "scheduler-failover.md", lease_table)
    if others:
        write(others, HERE / "results.jsonl", DOCS / "reliability.md", table)


if __name__ == "__main__":
    main()
