"""Remove old rows from Airflow's metastore, and old results of Celery: on one of the hosts whose timers start it.

Runs with the Python of the release, as the account and with the logins of the schedulers, which may delete rows and not
create tables. `airflow db clean` moves the rows that it deletes to tables, so these get schemas that belong to the
schedulers' account: the first in the search path, by the variable of the environment that libpq reads.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, text

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

SECRETS = Path("/etc/airflow/secrets")
# Where rows are moved to: for this run, or to stay.
WORK, ARCHIVE = "airflow_clean", "airflow_archive"
# Of an advisory lock in the metastore: the letters "flight". Airflow's own are small numbers.
LOCK = 0x666C69676874
# The command's timers start within minutes of each other on all hosts: the first one does it for all.
AGAIN = timedelta(minutes=50)
# Short transactions: others wait for none of them.
BATCH = 10_000
RESULTS = ("celery_taskmeta", "celery_tasksetmeta")


def main() -> int:
    """Clean unless another host does, or did. The exit code says whether all went well."""
    given = parser().parse_args()
    url = past_pooler((SECRETS / "sql_alchemy_conn").read_text().strip(), given.pooler)
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        if not connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK}).scalar():
            print("another host removes old rows at the moment")
            return 0
        # The lock ends with the connection, also when this process is killed.
        if last := done_since(connection, datetime.now(UTC) - AGAIN):
            print(f"{last} has removed old rows already")
            return 0
        return clean(connection, given)


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(description="Remove old rows from Airflow's metastore and old results of Celery.")
    made.add_argument("--airflow", required=True, help="path of the command airflow")
    made.add_argument("--host", required=True, help="name of this host, for the record")
    made.add_argument("--days", type=int, required=True, help="age of rows of the metastore")
    made.add_argument("--results-days", type=int, required=True, help="age of results")
    made.add_argument("--tables", default="", help="tables to clean, with commas between them; all without it")
    made.add_argument("--archive", action="store_true", help="keep the rows in other tables")
    made.add_argument("--pooler", default="", help="port of PgBouncer and of the listener behind it, as FROM:TO")
    return made


def past_pooler(url: str, ports: str) -> str:
    """``url`` past a pooler, which gives each transaction another session: ``ports`` as FROM:TO, or nothing."""
    before, _colon, after = ports.partition(":")
    return url.replace(f":{before}/", f":{after}/", 1) if ports else url


def done_since(connection: Connection, since: datetime) -> str:
    """The host that has done it since then; empty for none. Makes the record where there is none."""
    connection.execute(
        text(
            f"CREATE TABLE IF NOT EXISTS {WORK}.flightdeck_runs "
            "(host text NOT NULL, began timestamptz NOT NULL, ended timestamptz NOT NULL)"
        )
    )
    query = text(f"SELECT host FROM {WORK}.flightdeck_runs WHERE ended > :since LIMIT 1")
    return str(connection.execute(query, {"since": since}).scalar() or "")


def clean(connection: Connection, given: argparse.Namespace) -> int:
    """Remove the rows and record that; the exit code."""
    began = datetime.now(UTC)
    drop_rests(connection)
    code = clean_metastore(given, began - timedelta(days=given.days))
    removed = clean_results(began - timedelta(days=given.results_days), given.pooler)
    print(f"removed {removed} results of Celery")
    if code:
        return code
    record = {"host": given.host, "began": began}
    connection.execute(text(f"INSERT INTO {WORK}.flightdeck_runs VALUES (:host, :began, now())"), record)
    connection.execute(text(f"DELETE FROM {WORK}.flightdeck_runs WHERE ended < now() - interval '1 year'"))
    return 0


def drop_rests(connection: Connection) -> None:
    """Drop tables that a killed run has left: their rows are deleted from the others, or still there."""
    query = (
        "SELECT tablename FROM pg_tables WHERE schemaname = :schema AND tablename LIKE '\\_airflow\\_deleted\\_\\_%'"
    )
    for name in connection.execute(text(query), {"schema": WORK}).scalars().all():
        connection.execute(text(f'DROP TABLE {WORK}."{name}"'))


def clean_metastore(given: argparse.Namespace, before: datetime) -> int:
    """Run `airflow db clean`; its exit code."""
    command = [given.airflow, "db", "clean", "--yes", "--clean-before-timestamp", before.isoformat()]
    command += ["--batch-size", str(BATCH), "--error-on-cleanup-failure"]
    command += [] if given.archive else ["--skip-archive"]
    command += ["--tables", given.tables] if given.tables else []
    environment = {**os.environ, "PGOPTIONS": f"-csearch_path={ARCHIVE if given.archive else WORK},public"}
    if given.pooler:
        # As a command, so that no environment has the password.
        before_port, _colon, after_port = given.pooler.partition(":")
        edit = f"sed s,:{before_port}/,:{after_port}/, {SECRETS}/sql_alchemy_conn"
        environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD"] = edit
    return subprocess.run(command, env=environment, check=False).returncode


def clean_results(before: datetime, pooler: str) -> int:
    """Remove results of tasks that ended before then, in short transactions; how many."""
    url = past_pooler((SECRETS / "result_backend").read_text().strip().removeprefix("db+"), pooler)
    removed = 0
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        for table in RESULTS:
            if not connection.execute(text("SELECT to_regclass(:table)"), {"table": table}).scalar():
                continue
            # Celery writes the time without a zone, in UTC.
            delete = text(
                f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE date_done < :before LIMIT {BATCH})"
            )
            while count := connection.execute(delete, {"before": before.replace(tzinfo=None)}).rowcount:
                removed += count
    return removed


if __name__ == "__main__":
    sys.exit(main())
