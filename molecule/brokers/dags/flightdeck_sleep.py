"""Tasks that take a while, and a second time when their worker is lost."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from airflow.sdk import dag, task


@dag(
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=64,
)
def flightdeck_sleep():
    """``conf``: seconds that each task sleeps, number of tasks."""

    @task
    def numbers(dag_run=None):
        return list(range(int(dag_run.conf["tasks"])))

    @task(retries=1, retry_delay=timedelta(seconds=1))
    def sleep(_number, dag_run=None):
        time.sleep(float(dag_run.conf["seconds"]))

    sleep.expand(_number=numbers())


flightdeck_sleep()
