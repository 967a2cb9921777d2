"""Writes what the faults showed into docs/reliability.md: worst values of all runs below a directory.

python tests/faults/report.py artefacts/faults
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs/reliability.md"
BEGIN, END = "<!-- results -->\n", "<!-- end of results -->\n"
LAYERS = ("http", "metastore", "broker")


def table(verdicts: list[dict[str, Any]]) -> str:
    """A row per fault: how often, and the worst of what was seen."""
    by_fault: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for verdict in verdicts:
        by_fault[verdict["fault"]].append(verdict)
    lines = [
        "| fault | times | UI and API | metastore | broker | next task | writes lost of acknowledged | tries begun twice | tasks failed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for _name, runs in sorted(by_fault.items(), key=lambda item: int(item[0][1:])):
        cells = [f"{runs[0]['fault']}: {runs[0]['title']}", str(len(runs))]
        for layer in LAYERS:
            worst = max(run[layer]["outage_seconds"] for run in runs)
            target = runs[0][layer]["target_seconds"]
            mark = "" if target is None or worst <= target else " **missed**"
            cells.append(f"{worst:g} s" + (f" of {target:g}" if target is not None else "") + mark)
        retry = max(run["tasks"].get("retry_seconds", 0) for run in runs)
        again = f", a lost one again {retry:g} s" if retry else ""
        cells.append(f"{max(run['tasks']['next_start_seconds'] for run in runs):g} s{again}")
        stored = [run[layer] for run in runs for layer in LAYERS[1:]]
        cells.append(f"{sum(each['lost'] for each in stored)} of {sum(each['acknowledged'] for each in stored)}")
        tries = [run["tasks"] for run in runs]
        cells.append(f"{sum(each['double_starts'] for each in tries)} of {sum(each['tries'] for each in tries)}")
        cells.append(str(sum(each["failed"] for each in tries)))
        lines.append(f"| {' | '.join(cells)} |")
    dates = sorted(time.strftime("%Y-%m-%d", time.gmtime(verdict["at"])) for verdict in verdicts)
    versions = sorted({f"{name} {version}" for verdict in verdicts for name, version in verdict["versions"].items()})
    lines += [
        "",
        f"{len(verdicts)} runs, {' to '.join(dict.fromkeys((dates[0], dates[-1])))}, with {', '.join(versions)}.",
        "Seconds are the longest time without an answer, the worst of all runs.",
    ]
    missed = [f"- {verdict['fault']}: {reason[:300]}" for verdict in verdicts for reason in verdict["broken"]]
    lines += ["", "Promises that were not kept:", "", *missed] if missed else ["", "Every promise was kept in every run."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Entry point."""
    verdicts = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(Path(sys.argv[1]).glob("*/verdict.json"))]
    if not verdicts:
        raise SystemExit(f"no verdict below {sys.argv[1]}")
    before, _mark, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _old, _mark, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + table(verdicts) + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
