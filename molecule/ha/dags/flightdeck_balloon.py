"""A task whose first try takes more memory than a worker may have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag, get_current_context, task


@dag(
    dag_id="flightdeck_balloon",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=False,
    default_args={"retries": 1, "retry_delay": timedelta(seconds=2)},
)
def flightdeck_balloon():
    """``conf``: gigabytes that the first try takes."""

    @task
    def balloon(dag_run=None):
        """Fill memory, 64 MiB at a time."""
        taken = []
        if get_current_context()["ti"].try_number == 1:
            while len(taken) < 16 * int(dag_run.conf["gigabytes"]):
                taken.append(b"x" * (64 << 20))

    balloon()


flightdeck_balloon()
