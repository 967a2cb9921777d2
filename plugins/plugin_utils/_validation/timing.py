# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the times that must fit each other."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import HEARTBEATS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.timing import (
    BROKER_CONNECT,
    LONGEST_OUTAGE,
    budget,
    seconds_of,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem


def check(config: Mapping[str, object], major: int) -> list[Problem]:
    """Problems of the user's ``config`` with the timing budget on Airflow ``major``.

    What is no number is another check's.
    """
    problems: list[Problem] = []
    for one in (_check_3 if major >= 3 else _check_2, _check_heartbeats, _check_broker):
        try:
            problems += one(config)
        except (TypeError, ValueError):
            continue
    return problems


def check_restarts(config: Mapping[str, object], restart_timeout_seconds: int) -> list[Problem]:
    """Problems of heartbeats in ``config`` that are too rare for a restart, which ends with the new process's first.

    What is no number is another check's.
    """
    problems = []
    for heartbeat in HEARTBEATS.values():
        try:
            seconds = seconds_of(config, heartbeat.section, heartbeat.interval, 5)
        except (TypeError, ValueError):
            continue
        # One may have been missed by the check.
        if 2 * seconds > restart_timeout_seconds:
            problems.append(
                _problem(
                    f"{heartbeat.section}.{heartbeat.interval}",
                    f"{seconds:g} s with an airflow_restart_timeout_seconds of {restart_timeout_seconds} s",
                    f"at most {restart_timeout_seconds / 2:g} s",
                    "Shorten the heartbeat, or give a restart more time: it ends with the first heartbeat after it.",
                )
            )
    return problems


def _problem(where: str, found: str, expected: str, remedy: str) -> Problem:
    return Problem(Code.FD137, f"airflow_config.{where}", found, expected, remedy)


def _check_3(config: Mapping[str, object]) -> list[Problem]:
    now = budget(config)
    problems = []
    if now.call_min < LONGEST_OUTAGE:
        problems.append(
            _problem(
                "workers",
                f"a call to the execution API that is retried for {now.call_min:g} s only, "
                f"({now.attempts} execution_api_retries - 1) * {now.wait_min:g} s execution_api_retry_wait_min",
                f"at least {LONGEST_OUTAGE} s, the longest failover of the metastore",
                "Raise one of the two, or leave them to the collection: a task that finishes meanwhile would count "
                "as failed.",
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
                f"{now.heartbeat_timeout:g} s, while a worker that is cut off kills its task after up to "
                f"{now.kill_max:g} s "
                f"({now.max_failed} max_failed_heartbeats, calls of up to {now.call_max:g} s = {now.attempts} "
                "attempts * "
                f"{now.timeout:g} s + {sum(now.longest_waits()):g} s of waits)",
                f"more than {now.kill_max:g} s",
                "Raise it, or lower max_failed_heartbeats or execution_api_retries: else a task could run twice at "
                "once.",
            )
        )
    return problems


def _check_2(config: Mapping[str, object]) -> list[Problem]:
    """Airflow 2: a task's own job kills it after ``local_task_job_heartbeat_sec``, or the threshold when that is 0."""
    threshold = seconds_of(config, "scheduler", "scheduler_zombie_task_threshold", 300)
    own = seconds_of(config, "scheduler", "local_task_job_heartbeat_sec", 0)
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


def _check_heartbeats(config: Mapping[str, object]) -> list[Problem]:
    """A service counts as dead when its heartbeat is older than its threshold: three heartbeats must fit in."""
    problems = []
    for options in HEARTBEATS.values():
        if not options.threshold:
            continue
        threshold = seconds_of(config, options.section, options.threshold, 30)
        heartbeat = seconds_of(config, options.section, options.interval, 5)
        if threshold < 3 * heartbeat:
            problems.append(
                _problem(
                    f"{options.section}.{options.threshold}",
                    f"{threshold:g} s with a {options.interval} of {heartbeat:g} s",
                    f"at least 3 heartbeats, {3 * heartbeat:g} s",
                    "Raise the threshold or shorten the heartbeat: else a live service counts as dead.",
                )
            )
    return problems


def _check_broker(config: Mapping[str, object]) -> list[Problem]:
    timeout = seconds_of(config, "celery", "operation_timeout", 20)
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
