"""A task that shows what tasks have around them."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import dag, task


@dag(schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC), catchup=False, is_paused_upon_creation=False)
def custom_probe():
    """``conf``: the body of a function whose result the test wants."""

    @task
    def probe(dag_run=None):
        lines = dag_run.conf["body"].splitlines()
        scope = {}
        exec("\n    ".join(["def run():", *lines]), scope)
        return scope["run"]()

    probe()


custom_probe()
