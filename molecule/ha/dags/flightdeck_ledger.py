"""Tasks that write into a ledger outside of the cluster when their body begins, every second, and when it ends."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta

from airflow.sdk import dag, get_current_context, task


def write(url: str, **row: object) -> None:
    """One row; tries for a few seconds, because a lost row would be a false verdict. The ledger writes down when."""
    body = json.dumps(row).encode()
    for left in range(5, 0, -1):
        try:
            urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=2).close()
            return
        except OSError:
            if left == 1:
                raise
            time.sleep(0.2)


def flightdeck_ledger():
    """``conf``: url of the ledger, seconds that each body takes, number of bodies."""

    # As time.sleep, which fails where a fault sets the clock wrong.
    sleep = threading.Event().wait

    @task
    def bodies(dag_run=None):
        """Numbers of the bodies."""
        return list(range(int(dag_run.conf["bodies"])))

    @task
    def body(number, dag_run=None):
        """Write begin, a beat per second, end."""
        attempt = get_current_context()["ti"].try_number
        row = {"task": f"{dag_run.run_id}/{number}", "try": attempt, "body": uuid.uuid4().hex}
        url = dag_run.conf["url"]
        write(url, phase="begin", **row)
        end = time.monotonic() + float(dag_run.conf["seconds"])
        while time.monotonic() < end:
            sleep(1)
            write(url, phase="beat", **row)
        write(url, phase="end", **row)

    body.expand(number=bodies())


# The second for faults that last until a timeout: its tasks are tried again after that.
for name, delay in (("flightdeck_ledger", 2), ("flightdeck_ledger_patient", 90)):
    dag(
        dag_id=name,
        schedule=None,
        start_date=datetime(2024, 1, 1, tzinfo=UTC),
        catchup=False,
        is_paused_upon_creation=False,
        max_active_runs=64,
        default_args={"retries": 3, "retry_delay": timedelta(seconds=delay)},
    )(flightdeck_ledger)()
