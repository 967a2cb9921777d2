"""What benchmarks/throughput.py computes from what it measured: pure functions, and tables of docs/performance.md."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

# A section of a page that a program writes stands between these lines.
BEGIN, END = "<!-- {name}: begin -->", "<!-- {name}: end -->"


@dataclass(frozen=True)
class Sample:
    """One run of a workload on one cluster. Times in seconds."""

    cluster: str
    workload: str
    tasks: int
    seconds: float
    # From queued to started, of each task.
    waits: tuple[float, ...]
    # Processor seconds by service.
    cpu: Mapping[str, float] = field(default_factory=dict)
    # What the metastore's server did: statements and new sessions.
    statements: int = 0
    sessions: int = 0

    @property
    def rate(self) -> float:
        """Tasks per second."""
        return self.tasks / self.seconds

    @property
    def cpu_per_task(self) -> float:
        """Processor seconds of the whole cluster for each task."""
        return sum(self.cpu.values()) / self.tasks


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of ``values`` lie, between two of them as a straight line has it.

    Raises ValueError where there are none.
    """
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def grown(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """By how much counters grew. One that began again, as that of a restarted service, counts from nothing."""
    return {
        name: value - before.get(name, 0.0) if value >= before.get(name, 0.0) else value
        for name, value in after.items()
    }


def of(samples: Iterable[Sample], cluster: str, workload: str) -> list[Sample]:
    """The ``samples`` of one workload on one cluster."""
    return [sample for sample in samples if (sample.cluster, sample.workload) == (cluster, workload)]


@dataclass(frozen=True)
class Summary:
    """Medians of several runs of a workload on one cluster."""

    runs: int
    rate: float
    wait: float
    late: float
    cpu: float
    by_service: Mapping[str, float]
    statements: float
    sessions: float


def summary(samples: Sequence[Sample]) -> Summary:
    """What several runs of one workload have in the middle. Raises ValueError where there are none."""
    if not samples:
        raise ValueError("no samples")
    middle = statistics.median
    names = sorted({name for sample in samples for name in sample.cpu})
    return Summary(
        runs=len(samples),
        rate=middle(sample.rate for sample in samples),
        wait=middle(quantile(sample.waits, 0.5) for sample in samples),
        late=middle(quantile(sample.waits, 0.95) for sample in samples),
        cpu=middle(sample.cpu_per_task for sample in samples),
        by_service={name: middle(sample.cpu.get(name, 0.0) / sample.tasks for sample in samples) for name in names},
        statements=middle(sample.statements / sample.tasks for sample in samples),
        sessions=middle(sample.sessions / sample.tasks for sample in samples),
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def with_section(page: str, name: str, text: str) -> str:
    """``page`` with ``text`` in its section ``name``, which is its last one where it has none yet."""
    begin, end = BEGIN.format(name=name), END.format(name=name)
    block = f"{begin}\n\n{text.strip()}\n\n{end}"
    if begin in page and end in page:
        head, _, rest = page.partition(begin)
        return f"{head}{block}{rest.partition(end)[2]}"
    return f"{page.rstrip()}\n\n{block}\n"


def section(page: str, name: str) -> str:
    """The text of the section ``name`` of ``page``; empty where it has none."""
    begin, end = BEGIN.format(name=name), END.format(name=name)
    if begin not in page or end not in page:
        return ""
    return page.partition(begin)[2].partition(end)[0].strip()
