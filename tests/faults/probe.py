"""Runs on a host of the cluster: writes to the metastore and to the broker as Airflow does, five times a second, and
tells the answers.

One JSON object per line on standard output; ends when standard input ends. With ``again`` what was written before
stays; with ``read`` it prints what is there instead.
"""

from __future__ import annotations

import json
import ssl
import sys
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
from kombu import Connection, Exchange, Queue

SECRETS = Path("/etc/airflow/secrets")
PERIOD = 0.2
TABLE = "flightdeck_probe"
QUEUE = Queue(
    TABLE, Exchange("", "direct"), routing_key=TABLE, durable=True, queue_arguments={"x-queue-type": "quorum"}
)
LOCK = threading.Lock()
STOPPED = threading.Event()


def say(**row: object) -> None:
    """A line of the history."""
    with LOCK:
        print(json.dumps(row), flush=True)


def metastore() -> psycopg2.extensions.connection:
    """A session as the result backend has it."""
    url = (SECRETS / "result_backend").read_text().removeprefix("db+")
    return psycopg2.connect(urlsplit(url)._replace(scheme="postgresql").geturl())


def broker() -> Connection:
    """A connection as Celery has it: publishing waits for the confirmation of a majority."""
    url = (SECRETS / "broker_url").read_text()
    verified = {
        "ca_certs": str(SECRETS / "ca.crt"),
        "cert_reqs": ssl.CERT_REQUIRED,
        "server_hostname": urlsplit(url).hostname,
    }
    options = {"confirm_publish": True, "read_timeout": 15, "write_timeout": 15}
    return Connection(
        url,
        ssl=verified if url.startswith("amqps") else False,
        connect_timeout=4,
        heartbeat=10,
        transport_options=options,
    )


class Writer(threading.Thread):
    """Attempts a write in every period, with a new connection after an error."""

    layer = ""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.connection = None

    def run(self) -> None:
        due = time.monotonic()
        while not STOPPED.is_set():
            due = max(due + PERIOD, time.monotonic())
            self.attempt()
            STOPPED.wait(max(0.0, due - time.monotonic()))

    def attempt(self) -> None:
        """One write."""
        row = {"layer": self.layer, "id": uuid.uuid4().hex, "start": time.time()}
        # First, because the host may be lost between the write and its answer.
        say(**row, end=row["start"], ok=False, error="not answered")
        try:
            if self.connection is None:
                self.connection = self.connect()
            self.write(row["id"])
            say(**row, end=time.time(), ok=True)
        except Exception as error:
            # Any: what matters is that it was not acknowledged, and why is part of the history.
            say(**row, end=time.time(), ok=False, error=f"{type(error).__name__}: {error}"[:200])
            self.connection = None


class Sql(Writer):
    """Commits a row."""

    layer = "metastore"

    def connect(self):
        """A session in which each statement is a transaction."""
        connection = metastore()
        connection.autocommit = True
        return connection

    def write(self, identity):
        """Insert ``identity``."""
        with self.connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {TABLE} VALUES (%s)", (identity,))


class Publish(Writer):
    """Publishes a message."""

    layer = "broker"

    def connect(self):
        """A connection with the queue declared."""
        connection = broker()
        connection.connect()
        QUEUE(connection.default_channel).declare()
        return connection

    def write(self, identity):
        """Publish ``identity``."""
        producer = self.connection.Producer(auto_declare=False)
        producer.publish(identity, routing_key=TABLE, exchange="", serializer="json", delivery_mode=2)


def read() -> None:
    """Print what is stored, and empty the queue."""
    with metastore() as session, session.cursor() as cursor:
        cursor.execute(f"SELECT id FROM {TABLE}")
        stored = [row[0] for row in cursor.fetchall()]
    messages = []
    with broker() as connection:
        queue = QUEUE(connection.default_channel)
        queue.declare()
        while (message := queue.get()) is not None:
            messages.append(message.payload)
            message.ack()
    print(json.dumps({"metastore": stored, "broker": messages}))


def main() -> None:
    """Entry point."""
    if sys.argv[-1] == "read":
        read()
        return
    if sys.argv[-1] != "again":
        with metastore() as session, session.cursor() as cursor:
            cursor.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} (id text PRIMARY KEY)")
            cursor.execute(f"TRUNCATE {TABLE}")
        with broker() as connection:
            queue = QUEUE(connection.default_channel)
            queue.declare()
            queue.purge()
    writers = (Sql(), Publish())
    for writer in writers:
        writer.start()
    say(layer="probe", ready=True)
    sys.stdin.read()
    STOPPED.set()
    # What is written must be in the history, too.
    for writer in writers:
        writer.join(30)


if __name__ == "__main__":
    main()
