"""The timing budget: how long a running task bears an outage, and when it gives up.

Rule A: no task dies in a failover that is planned for. The shortest time that a call to the execution API is retried, and the shortest
time until a worker kills its own task, are longer than the longest outage.

Rule B: no two tries of a task run at once. A worker that is cut off has killed its task before the scheduler gives the task to another.

The bounds follow from the retry formula of the task SDK 1.3 (Airflow 3.3): ``execution_api_retries`` attempts, and between them
a wait that is drawn evenly between ``execution_api_retry_wait_min`` and the lower of 2^(n-1) s and ``execution_api_retry_wait_max``
(but never less than the minimum). A refused connection costs nothing, a hanging one ``execution_api_timeout``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._problem import Problem

# Seconds that a failover of the metastore takes at worst: a host is lost that leads both PostgreSQL and its cluster manager.
LONGEST_OUTAGE = 45
# Seconds from a worker's SIGTERM to its SIGKILL for a task (escalation_delay of the task SDK's supervisor).
KILL_ESCALATION = 5
# Seconds that one connection attempt to a broker may take (Celery's own bound for a failover list).
BROKER_CONNECT = 4

# What the collection sets on Airflow 3.
SETTINGS: dict[str, dict[str, Any]] = {
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
DEFAULTS: dict[str, dict[str, Any]] = {
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
    """The settings that decide how long a task bears an outage. Times in seconds."""

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

        Before the first failing heartbeat the supervisor may wait two intervals, because activity of the task makes it look early.
        """
        gap = self.interval if self.call_max >= self.interval else 2 * self.interval
        return 2 * self.interval + self.call_max + (self.max_failed - 1) * (gap + self.call_max) + KILL_ESCALATION


def _layered(config: Mapping[str, Any], section: str, option: str) -> float:
    """The value in force. An option that is set to null has Airflow's own. Raises ValueError for what is no number."""
    options = config.get(section)
    layers = [options if isinstance(options, Mapping) else {}, SETTINGS.get(section, {})]
    for layer in layers:
        if option in layer:
            value = layer[option]
            break
    else:
        value = None
    return float(DEFAULTS[section][option] if value is None or value == "" else value)


def budget(config: Mapping[str, Any]) -> Budget:
    """The budget on Airflow 3 with the user's ``config`` ({section: {option: value}}). Raises ValueError for what is no number."""
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


def message_ttl(config: Mapping[str, Any]) -> float:
    """Seconds for which a message to a worker is of use on Airflow 3 with the user's ``config``. Raises ValueError for what is no number.

    The token in it is valid for as long. When a session ends, the broker gives the messages of running tasks to another worker, which asks
    and is told that they run. With a token that is too old it is refused instead, reports a failure, and the scheduler believes that.
    """
    return _layered(config, "scheduler", "task_queued_timeout")


def check(config: Mapping[str, Any], major: int) -> list[Problem]:
    """Problems of the user's ``config`` with the timing budget on Airflow ``major``. What is no number is another check's."""
    problems: list[Problem] = []
    for one in (_check_3 if major >= 3 else _check_2, _check_heartbeats, _check_broker):
        try:
            problems += one(config)
        except (TypeError, ValueError):
            continue
    return problems


def _problem(where: str, found: str, expected: str, remedy: str) -> Problem:
    return Problem("FD137", f"airflow_config.{where}", found, expected, remedy)


def _check_3(config: Mapping[str, Any]) -> list[Problem]:
    now = budget(config)
    problems = []
    if now.call_min < LONGEST_OUTAGE:
        problems.append(
            _problem(
                "workers",
                f"a call to the execution API that is retried for {now.call_min:g} s only, "
                f"({now.attempts} execution_api_retries - 1) * {now.wait_min:g} s execution_api_retry_wait_min",
                f"at least {LONGEST_OUTAGE} s, the longest failover of the metastore",
                "Raise one of the two, or leave them to the collection: a task that finishes meanwhile would count as failed.",
            )
        )
    elif now.kill_min < LONGEST_OUTAGE:
        problems.append(
            _problem(
                "workers",
                f"a task that is killed after {now.kill_min:g} s without the execution API",
                f"at least {LONGEST_OUTAGE} s, the longest failover of the metastore",
                "Raise max_failed_heartbeats, or leave it to the collection.",
            )
        )
    if now.kill_max >= now.heartbeat_timeout:
        problems.append(
            _problem(
                "scheduler.task_instance_heartbeat_timeout",
                f"{now.heartbeat_timeout:g} s, while a worker that is cut off kills its task after up to {now.kill_max:g} s "
                f"({now.max_failed} max_failed_heartbeats, calls of up to {now.call_max:g} s = {now.attempts} attempts * "
                f"{now.timeout:g} s + {sum(now.longest_waits()):g} s of waits)",
                f"more than {now.kill_max:g} s",
                "Raise it, or lower max_failed_heartbeats or execution_api_retries: else a task could run twice at once.",
            )
        )
    return problems


def _number(config: Mapping[str, Any], section: str, option: str, default: float) -> float:
    options = config.get(section)
    value = options.get(option) if isinstance(options, Mapping) else None
    return default if value is None or value == "" else float(value)


def _check_2(config: Mapping[str, Any]) -> list[Problem]:
    """Airflow 2: a task's own job kills it after ``local_task_job_heartbeat_sec``, or the threshold when that is 0."""
    threshold = _number(config, "scheduler", "scheduler_zombie_task_threshold", 300)
    own = _number(config, "scheduler", "local_task_job_heartbeat_sec", 0)
    problems = []
    limit = own if own >= 1 else threshold
    option = "local_task_job_heartbeat_sec" if own >= 1 else "scheduler_zombie_task_threshold"
    if limit <= LONGEST_OUTAGE:
        problems.append(
            _problem(
                f"scheduler.{option}",
                f"{limit:g} s, after which a task that cannot reach the metastore is killed",
                f"more than {LONGEST_OUTAGE} s, the longest failover of the metastore",
                "Raise it, or leave it to the collection.",
            )
        )
    if own > threshold:
        problems.append(
            _problem(
                "scheduler.local_task_job_heartbeat_sec",
                f"{own:g} s, after which a worker that is cut off kills its task",
                f"at most scheduler_zombie_task_threshold, {threshold:g} s",
                "Lower it: else a task could run twice at once.",
            )
        )
    return problems


def _check_heartbeats(config: Mapping[str, Any]) -> list[Problem]:
    """A service counts as dead when its heartbeat is older than its threshold: three heartbeats must fit in."""
    pairs = (
        ("scheduler", "scheduler_health_check_threshold", "scheduler_heartbeat_sec"),
        ("triggerer", "triggerer_health_check_threshold", "job_heartbeat_sec"),
    )
    problems = []
    for section, threshold_option, heartbeat_option in pairs:
        threshold = _number(config, section, threshold_option, 30)
        heartbeat = _number(config, section, heartbeat_option, 5)
        if threshold < 3 * heartbeat:
            problems.append(
                _problem(
                    f"{section}.{threshold_option}",
                    f"{threshold:g} s with a {heartbeat_option} of {heartbeat:g} s",
                    f"at least 3 heartbeats, {3 * heartbeat:g} s",
                    "Raise the threshold or shorten the heartbeat: else a live service counts as dead.",
                )
            )
    return problems


def _check_broker(config: Mapping[str, Any]) -> list[Problem]:
    timeout = _number(config, "celery", "operation_timeout", 20)
    if timeout > BROKER_CONNECT:
        return []
    return [
        _problem(
            "celery.operation_timeout",
            f"{timeout:g} s",
            f"more than the {BROKER_CONNECT} s that one connection attempt may take",
            "Raise it, or leave it to the collection: else a failover of the broker fails every publish.",
        )
    ]
