"""A Celery worker that survives failures of brokers, and begins and ends its tasks quickly ([celery]
extra_celery_config, worker_consumer)."""

from __future__ import annotations

import base64
import contextlib
import gc
import importlib
import json
import time
import uuid
from collections.abc import Callable
from types import ModuleType
from typing import Any

from celery.utils.log import get_logger
from celery.worker import consumer
from kombu import Queue

log = get_logger(__name__)

# What each process of a task imports on Airflow 3 before and after it has read its DAG file, and what most of those
# import. A process that a loaded one forks has them already. A part of Airflow is named by its module, and one whose
# modules are loaded at their first use by all of its names.
PRELOAD = (
    "airflow.sdk.execution_time.task_runner",
    "airflow.dag_processing.dagbag",
    "airflow.dag_processing.bundles.local",
    "airflow.dag_processing.importers.python_importer",
    "airflow.serialization.serialized_objects",
    "airflow.sdk.definitions.decorators",
    "airflow.providers.standard.decorators.python",
    "airflow.providers.standard.decorators.bash",
    "airflow.providers.standard.operators.empty",
    "airflow.providers.standard.triggers.temporal",
    "airflow.version",
    # Of the standard library, for the name of a host in a URL.
    "encodings.idna",
)
PRELOAD_NAMES = "airflow.sdk"


class Consumer(consumer.Consumer):
    """Gives its control queue a new name in each session with RabbitMQ, and drops messages that are too old.

    When a node of RabbitMQ ends, every other one deletes the transient queues it had, by name and at its own pace. One
    that a worker has declared again meanwhile goes with them, without a message to the worker: it goes on, but no
    health check reaches it any more.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        # Before the processes of the pool begin, which Celery forks from this one.
        preload()
        notice_ends()
        super().__init__(*arguments, **options)
        if str(self.app.conf.broker_url).lower().startswith("amqp"):
            self._rename_control_queue()

    def _rename_control_queue(self) -> None:
        mailbox = self.app.control.mailbox
        named = mailbox.get_queue

        def once(hostname: str) -> Queue:
            return named(f"{hostname}.{uuid.uuid4().hex}")

        mailbox.get_queue = once

    def create_task_handler(self, *arguments: Any, **options: Any) -> Callable[[Any], Any]:
        """What is done with a message.

        A broker gives the messages of running tasks to another worker when a session ends. Airflow refuses those,
        unless the token in them has expired by then: that counts as a failure of the task, which goes on. A task that
        still waits is sent again with another token; a callback is not, so it is not dropped.
        """
        handle: Callable[[Any], Any] = super().create_task_handler(*arguments, **options)

        def on_task_received(message: Any) -> Any:
            age = too_old(message)
            if age <= 0:
                return handle(message)
            log.warning("Task %s: its token ran out %d s ago, the message is dropped", message.headers.get("id"), age)
            return message.ack_log_error(log, self.connection_errors)

        return on_task_received


def preload() -> None:
    """Import once what the process of each task would import for itself, which took most of its processor time."""
    if not is_there("airflow.sdk"):
        return
    for name in PRELOAD:
        # Another version of Airflow may lack one: then tasks import what they need, as without this.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    names = importlib.import_module(PRELOAD_NAMES)
    for name in getattr(names, "__all__", ()):
        with contextlib.suppress(Exception):
            getattr(names, name)
    # What the collector of a forked process does not look at stays shared. Airflow undoes this in the main process.
    gc.collect()
    gc.freeze()


def is_there(name: str) -> bool:
    """Whether a package can be imported: Airflow 2 has no SDK."""
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def notice_ends(supervisor: ModuleType | None = None) -> None:
    """Have a task's supervisor notice at once that the task's process has ended.

    It waits for something to read and looks for the end of the process then. A process closes what it writes to a
    moment before it has ended; a supervisor that looks in between waits for its next heartbeat, five seconds, with
    nothing left to read. As long, it keeps a slot of the worker.
    """
    try:
        module = supervisor or importlib.import_module("airflow.sdk.execution_time.supervisor")
        watched = module.WatchedSubprocess
        serve = watched._service_subprocess
    except (ImportError, AttributeError):
        return

    def serve_or_wait(self: Any, max_wait_time: float, *arguments: Any, **options: Any) -> Any:
        if self._exit_code is None and not self._open_sockets:
            began, ended = time.monotonic(), False
            # What it ended with is kept, and is a matter of the original, as is a time that ran out.
            with contextlib.suppress(Exception):
                ended = self._process.wait(timeout=max_wait_time) is not None
            max_wait_time = 0 if ended else max(0, max_wait_time - (time.monotonic() - began))
        return serve(self, max_wait_time, *arguments, **options)

    watched._service_subprocess = serve_or_wait


def too_old(message: Any) -> float:
    """Seconds since the token for a task in a message ran out; 0 when it did not, or there is none, as on Airflow 2."""
    try:
        (text, *_others), _keywords, _embedded = message.decode()
        workload = json.loads(text)
        claims = workload["token"].split(".")[1]
        return (
            0.0
            if "ti" not in workload
            else max(0.0, time.time() - float(json.loads(base64.urlsafe_b64decode(claims + "=="))["exp"]))
        )
    except Exception:
        # Whatever is wrong with it, Celery knows what to say.
        return 0.0
