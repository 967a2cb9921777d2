"""Verdicts from histories: what was attempted, acknowledged, lost and done twice, and for how long nothing worked.

Pure functions. Times are seconds of one clock; a history is a list of rows as the probes and the ledger write them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Writes:
    """What became of writes: ``lost`` were acknowledged and are gone, ``unexpected`` are there and were never attempted."""

    attempted: int
    acknowledged: int
    lost: int
    unexpected: int
    # Not acknowledged, but there: the answer was lost, not the write.
    recovered: int
    duplicated: int


@dataclass(frozen=True)
class Tasks:
    """What became of tasks: a try that began twice, and two tries of one task at the same time, must not be."""

    tries: int
    ended: int
    double_starts: int
    overlap_seconds: float
    failed: int


def outage(attempts: Iterable[Row], since: float, until: float) -> float:
    """Longest time without an answer, of all that began at ``since`` or later and before ``until``.

    It is counted from the last success to the end of the next one, so the time between two attempts is part of it.
    """
    ends = sorted(row["end"] for row in attempts if row["ok"])
    longest = 0.0
    for before, after in zip(ends, ends[1:], strict=False):
        if after > since and before < until:
            longest = max(longest, after - max(before, since) if before < since else after - before)
    if not ends or ends[-1] < until:
        longest = max(longest, until - max(since, ends[-1] if ends else since))
    return longest


def writes(attempts: Sequence[Row], read: Iterable[str]) -> Writes:
    """``read`` holds the identities that were found afterwards, as often as they were found."""
    found = Counter(read)
    attempted = {row["id"] for row in attempts}
    acknowledged = {row["id"] for row in attempts if row["ok"]}
    present = set(found)
    return Writes(
        attempted=len(attempted),
        acknowledged=len(acknowledged),
        lost=len(acknowledged - present),
        unexpected=len(present - attempted),
        recovered=len((present & attempted) - acknowledged),
        duplicated=sum(number - 1 for number in found.values()),
    )


def tasks(ledger: Iterable[Row], states: Mapping[str, str]) -> Tasks:
    """``ledger`` has a row for every begin, end and second between of a task's body; ``states`` is what Airflow says in the end."""
    begins: Counter[tuple[str, int]] = Counter()
    spans: dict[str, dict[int, tuple[float, float]]] = {}
    ended = set()
    for row in ledger:
        task, number = str(row["task"]), int(row["try"])
        if row["phase"] == "begin":
            begins[task, number] += 1
        if row["phase"] == "end":
            ended.add((task, number))
        first, last = spans.setdefault(task, {}).get(number, (row["at"], row["at"]))
        spans[task][number] = (min(first, row["at"]), max(last, row["at"]))
    overlap = 0.0
    for tries in spans.values():
        ordered = [tries[number] for number in sorted(tries)]
        for earlier, later in zip(ordered, ordered[1:], strict=False):
            overlap = max(overlap, earlier[1] - later[0])
    return Tasks(
        tries=len(begins),
        ended=len(ended),
        double_starts=sum(number - 1 for number in begins.values()),
        overlap_seconds=max(0.0, overlap),
        failed=sum(state != "success" for state in states.values()),
    )


def next_start(ledger: Iterable[Row], since: float) -> float:
    """Seconds from ``since`` to the next begin of a task."""
    starts = [row["at"] for row in ledger if row["phase"] == "begin" and row["at"] >= since]
    return min(starts) - since if starts else float("inf")
