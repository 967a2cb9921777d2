"""A task that asks a server outside of the cluster, as tasks of users do."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import dag, task


@dag(
    dag_id="flightdeck_outside",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=False,
    default_args={"retries": 0},
)
def flightdeck_outside():
    @task
    def ask():
        """What the server says. Nothing resolves its name: only a proxy can know it."""
        import requests

        answer = requests.get("http://outside.example.org/question", timeout=20)
        answer.raise_for_status()
        return answer.text

    ask()


flightdeck_outside()
