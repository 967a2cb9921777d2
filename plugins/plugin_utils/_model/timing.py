# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times that must fit each other, from heartbeats to failovers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Seconds that a failover of the metastore takes at worst: a host is lost that leads both PostgreSQL and its cluster
# manager.
LONGEST_OUTAGE = 45
# Seconds from a worker's SIGTERM to its SIGKILL for a task (escalation_delay of the task SDK's supervisor).
KILL_ESCALATION = 5
# Seconds that one connection attempt to a broker may take (Celery's own bound for a failover list).
BROKER_CONNECT = 4
# What the collection sets on Airflow 3.
SETTINGS: Mapping[str, Mapping[str, int]] = {
    "scheduler": {"task_instance_heartbeat_timeout": 300},
    "workers": {
        "execution_api_retries": 10,
        "execution_api_retry_wait_min": 6,
        "execution_api_retry_wait_max": 10,
        "execution_api_timeout": 5,
        "max_failed_heartbeats": 2,
    },
}
# Airflow 3.3's own values, for an option that the user sets to null.
DEFAULTS: Mapping[str, Mapping[str, int]] = {
    "scheduler": {"task_instance_heartbeat_timeout": 300, "task_queued_timeout": 600},
    "workers": {
        "execution_api_retries": 5,
        "execution_api_retry_wait_min": 1,
        "execution_api_retry_wait_max": 90,
        "execution_api_timeout": 5,
        "max_failed_heartbeats": 3,
        "min_heartbeat_interval": 5,
    },
}


@dataclass(frozen=True)
class Budget:
    """The settings that decide how long a task survives an outage. Times in seconds."""

    retries: int
    wait_min: float
    wait_max: float
    timeout: float
    max_failed: int
    interval: float
    heartbeat_timeout: float

    @property
    def attempts(self) -> int:
        """Attempts of one call; there is always one."""
        return max(1, self.retries)

    def longest_waits(self) -> list[float]:
        """The upper end of each wait between two attempts."""
        return [max(self.wait_min, min(2.0 ** min(number, 64), self.wait_max)) for number in range(self.attempts - 1)]

    @property
    def call_min(self) -> float:
        """Seconds that a call is retried at least, when every attempt is refused at once."""
        return (self.attempts - 1) * self.wait_min

    @property
    def call_max(self) -> float:
        """Seconds that a call is retried at most, when every attempt hangs until its timeout."""
        return self.attempts * self.timeout + sum(self.longest_waits())

    @property
    def kill_min(self) -> float:
        """Seconds of outage after which a worker kills its task at the earliest."""
        return self.call_min + (self.max_failed - 1) * max(self.call_min, self.interval)

    @property
    def kill_max(self) -> float:
        """Seconds from the last good heartbeat until a worker's task is dead at the latest.

        Before the first failing heartbeat the supervisor may wait two intervals, because activity of the task makes it
        look early.
        """
        gap = self.interval if self.call_max >= self.interval else 2 * self.interval
        return 2 * self.interval + self.call_max + (self.max_failed - 1) * (gap + self.call_max) + KILL_ESCALATION


def _layered(config: Mapping[str, object], section: str, option: str) -> float:
    """The effective value in seconds or times.

    An option that is null has Airflow's own. Raises ValueError for what is no number.
    """
    options = config.get(section)
    layers: list[Mapping[str, object]] = [options if isinstance(options, Mapping) else {}, SETTINGS.get(section, {})]
    value = next((layer[option] for layer in layers if option in layer), None)
    return _number(DEFAULTS[section][option] if value is None or value == "" else value)


def _number(value: object) -> float:
    """Raises ValueError for what is no number."""
    if not isinstance(value, (int, float, str)):
        raise ValueError("no number")
    return float(value)


def budget(config: Mapping[str, object]) -> Budget:
    """The budget on Airflow 3 with the user's ``config``, options by section.

    Raises ValueError for what is no number.
    """
    workers = {option: _layered(config, "workers", option) for option in DEFAULTS["workers"]}
    return Budget(
        retries=int(workers["execution_api_retries"]),
        wait_min=max(0.0, workers["execution_api_retry_wait_min"]),
        wait_max=workers["execution_api_retry_wait_max"],
        timeout=workers["execution_api_timeout"],
        max_failed=max(1, int(workers["max_failed_heartbeats"])),
        interval=workers["min_heartbeat_interval"],
        heartbeat_timeout=_layered(config, "scheduler", "task_instance_heartbeat_timeout"),
    )


def message_ttl(config: Mapping[str, object]) -> float:
    """Seconds for which a message to a worker is of use on Airflow 3 with the user's ``config``, options by section.

    Raises ValueError for what is no number. The token in the message is valid for as long. When a session ends, the
    broker gives the messages of running tasks to another worker, which asks Airflow and learns that they run. With an
    expired token it is refused instead and reports a failure, and the scheduler fails the task.
    """
    return _layered(config, "scheduler", "task_queued_timeout")


def seconds_of(config: Mapping[str, object], section: str, option: str, default: float) -> float:
    """Seconds that ``config`` has for ``option`` of ``section``, else ``default``.

    Raises ValueError for what is no number.
    """
    options = config.get(section)
    value = options.get(option) if isinstance(options, Mapping) else None
    return default if value is None or value == "" else _number(value)
