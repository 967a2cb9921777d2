"""A Celery worker that keeps hearing commands when a node of RabbitMQ ends ([celery] extra_celery_config, worker_consumer)."""

from __future__ import annotations

import uuid
from typing import Any

from celery.worker import consumer
from kombu import Queue


class Consumer(consumer.Consumer):
    """Gives its control queue a new name in each session.

    When a node ends, every other one deletes the transient queues it had, by name and at its own pace. One that a worker has
    declared again meanwhile goes with them, and nobody tells the worker: it works on, but no health check reaches it any more.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        mailbox = self.app.control.mailbox
        named = mailbox.get_queue

        def once(hostname: str) -> Queue:
            return named(f"{hostname}.{uuid.uuid4().hex}")

        mailbox.get_queue = once
