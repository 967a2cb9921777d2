"""A Celery worker that survives failures of brokers ([celery] extra_celery_config, worker_consumer)."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

from celery.utils.log import get_logger
from celery.worker import consumer
from kombu import Queue

log = get_logger(__name__)


class Consumer(consumer.Consumer):
    """Gives its control queue a new name in each session with RabbitMQ, and drops messages that are too old.

    When a node of RabbitMQ ends, every other one deletes the transient queues it had, by name and at its own pace. One
    that a worker has declared again meanwhile goes with them, without a message to the worker: it goes on, but no
    health check reaches it any more.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
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
