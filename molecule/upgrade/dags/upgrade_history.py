"""A DAG of the user's, which stays paused; its files fit Airflow 2.11 and 3."""

from __future__ import annotations

import time
from datetime import UTC, datetime

try:
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task


START = datetime(2024, 1, 1, tzinfo=UTC)


@dag(schedule="@daily", start_date=START, catchup=False, is_paused_upon_creation=True)
def upgrade_history():
    @task
    def one():
        return 1

    one()


@dag(schedule=None, start_date=START, catchup=False, is_paused_upon_creation=False)
def upgrade_long():
    @task(retries=0)
    def long(dag_run=None):
        """Run for as long as the configuration of the run says."""
        time.sleep(float((dag_run.conf or {}).get("seconds", 60)))

    long()


upgrade_history()
upgrade_long()
