"""A task that fails, and tells it by mail."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import dag, task


@dag(
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=False,
    default_args={"email": ["operators@example.com"], "email_on_failure": True},
)
def custom_mail():
    @task
    def fail():
        raise RuntimeError("the shop is closed")

    fail()


custom_mail()
