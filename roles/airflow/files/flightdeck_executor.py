"""A Celery executor whose scheduler ends between two steps, when it has sent what is queued ([core] executor of
schedulers)."""

from __future__ import annotations

import signal
import time
from types import FrameType

from airflow.providers.celery.executors import celery_executor

# Seconds after its last step that a scheduler counts as one that hangs: [scheduler] scheduler_health_check_threshold.
HANGS = 30.0


class CeleryExecutor(celery_executor.CeleryExecutor):
    """Ends its scheduler after the heartbeat that follows SIGTERM, which has sent all that is queued.

    A message that the broker does not take within [celery] operation_timeout is still lost then.

    Airflow ends wherever it is. Airflow 3 stores the identity of the message with the state queued, so a task whose
    message was not sent yet looks to every scheduler like one that waits for a worker, until [scheduler]
    task_queued_timeout. And where Python collects garbage it drops what a signal raises: the scheduler goes on until
    it is killed. The name is that of the base, which metrics have.
    """

    def start(self) -> None:
        """Called when the scheduler has its own handler for signals."""
        super().start()
        self._ending = False
        self._last = time.monotonic()
        before = signal.getsignal(signal.SIGTERM)
        if callable(before):
            self._end = before
            signal.signal(signal.SIGTERM, self._on_sigterm)

    def heartbeat(self) -> None:
        """Sends what is queued; a step of the scheduler ends with it."""
        super().heartbeat()
        self._last = time.monotonic()
        if self._ending:
            self._end(signal.SIGTERM, None)

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        if time.monotonic() - self._last > HANGS:
            self._end(number, frame)
        self._ending = True
