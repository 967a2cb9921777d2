"""What benchmarks/throughput.py runs: tasks that do nothing."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import BaseOperator, Context, dag, task


class Deferred(BaseOperator):
    """Waits for a second in a triggerer."""

    def execute(self, context: Context) -> None:
        """Hand over to the triggerer."""
        # Airflow passes it by this name.
        del context
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=1)), method_name="resume")

    def resume(self, context: Context, event: Any) -> None:
        """Go on."""


@task
def trivial(number: int) -> int:
    """Do nothing, and say so."""
    return number


@task
def sleep(number: int) -> int:
    """Hold a slot and use no processor."""
    time.sleep(20)
    return number


# On a machine that does other things, a request may come too late. Then the task runs again.
RETRIES = {"retries": 3, "retry_delay": timedelta(seconds=1)}
LIMITS: dict[str, Any] = {"max_active_tasks": 1000, "max_active_runs": 1000, "default_args": RETRIES}


def mapped(count: int) -> None:
    """``count`` tasks at once."""

    @dag(dag_id=f"bench_mapped_{count}", schedule=None, **LIMITS)
    def tasks() -> None:
        trivial.expand(number=list(range(count)))

    tasks()


for count in (1, 200, 1000):
    mapped(count)


def sleeping(count: int) -> None:
    """``count`` tasks at once that wait."""

    @dag(dag_id=f"bench_sleeping_{count}", schedule=None, **LIMITS)
    def tasks() -> None:
        sleep.expand(number=list(range(count)))

    tasks()


for count in (16, 64, 256, 512):
    sleeping(count)


@dag(dag_id="bench_chain", schedule=None, **LIMITS)
def chain() -> None:
    """Five tasks, one after the other."""
    number = trivial(0)
    for _ in range(4):
        number = trivial(number)


chain()


@dag(dag_id="bench_deferred", schedule=None, **LIMITS)
def deferred() -> None:
    """Fifty tasks that wait in a triggerer."""
    Deferred.partial(task_id="deferred").expand(doc=[str(number) for number in range(50)])


deferred()
