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
    """What became of writes: ``lost`` were acknowledged and are gone, ``unexpected`` are there and were never
    attempted."""

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
    # How many tasks were tried more than once, and the longest time from the last sign of a try to the begin of the
    # next.
    repeated: int
    retry_seconds: float
    failed: int


# Key of ``Commits`` in a verdict. It is that of the recorded runs.
COMMITS = "turns"


@dataclass(frozen=True)
class Commits:
    """Commits of schedulers with a leader lease: ``stale`` ones came after one of a later epoch, or belong to none."""

    commits: int
    stale: int
    epochs: int
    gap_seconds: float


def commits_of(record: Iterable[Row], since: float, until: float) -> Commits:
    """``record`` has epochs and commits in the order of commits.

    A session belongs to the last epoch of its login that began before it.
    """
    begun: dict[str, list[tuple[float, int]]] = {}
    commits, stale, latest, times = 0, 0, 0, []
    epochs = set()
    for row in record:
        if row["kind"] == "epoch":
            begun.setdefault(row["login"], []).append((row["at"], int(row["epoch"])))
            epochs.add(row["epoch"])
            continue
        own = max((epoch for at, epoch in begun.get(row["login"], ()) if at <= row["began"]), default=0)
        commits += 1
        stale += own == 0 or own < latest
        latest = max(latest, own)
        times.append(row["at"])
    # The last gap ends with the first commit after the end.
    end = min((at for at in times if at > until), default=until)
    inside = sorted([since, *(at for at in times if since <= at <= until), end])
    gap = max(after - before for before, after in zip(inside, inside[1:], strict=False))
    return Commits(commits, stale, len(epochs), round(gap, 1))


def changes(record: Iterable[Row], since: float, until: float) -> int:
    """Number of epochs of ``record`` that began in a time."""
    return sum(row["kind"] == "epoch" and since <= row["at"] <= until for row in record)


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


def spans(ledger: Iterable[Row]) -> dict[str, dict[int, tuple[float, float]]]:
    """First and last sign of every try of every task."""
    found: dict[str, dict[int, tuple[float, float]]] = {}
    for row in ledger:
        tries, number = found.setdefault(str(row["task"]), {}), int(row["try"])
        first, last = tries.get(number, (row["at"], row["at"]))
        tries[number] = (min(first, row["at"]), max(last, row["at"]))
    return found


def stray(ledger: Iterable[Row], since: float) -> float:
    """Longest time for which a try went on after ``since`` that another one replaced."""
    ends = [tries[number][1] for tries in spans(ledger).values() for number in tries if number < max(tries)]
    return max([0.0, *(end - since for end in ends)])


def tasks(ledger: Sequence[Row], states: Mapping[str, str]) -> Tasks:
    """``ledger`` has a row for every begin, end and second between of a task's body; ``states`` is what Airflow
    says in the end."""
    # By body, because a row is sent again when its answer does not come in time.
    begins: dict[tuple[str, int], set[str]] = {}
    ended = set()
    for row in ledger:
        task, number = str(row["task"]), int(row["try"])
        if row["phase"] == "begin":
            begins.setdefault((task, number), set()).add(row["body"])
        if row["phase"] == "end":
            ended.add((task, number))
    overlap, retry = 0.0, 0.0
    of_tasks = spans(ledger).values()
    for tries in of_tasks:
        ordered = [tries[number] for number in sorted(tries)]
        for earlier, later in zip(ordered, ordered[1:], strict=False):
            overlap = max(overlap, earlier[1] - later[0])
            retry = max(retry, later[0] - earlier[1])
    return Tasks(
        tries=len(begins),
        ended=len(ended),
        double_starts=sum(len(bodies) - 1 for bodies in begins.values()),
        overlap_seconds=max(0.0, overlap),
        repeated=sum(max(tries) > 1 for tries in of_tasks),
        retry_seconds=round(retry, 1),
        failed=sum(state != "success" for state in states.values()),
    )


def without_new(ledger: Iterable[Row], since: float) -> float:
    """Longest time in seconds, from ``since``, in which no task began its first try."""
    begins = [row["at"] for row in ledger if row["phase"] == "begin" and int(row["try"]) == 1 and row["at"] >= since]
    ordered = [since, *sorted(begins)]
    return max((after - before for before, after in zip(ordered, ordered[1:], strict=False)), default=float("inf"))
