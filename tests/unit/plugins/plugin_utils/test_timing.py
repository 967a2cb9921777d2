"""The timing budget: its rules recomputed from the retry formula, step by step, and the settings that break them."""

from __future__ import annotations

import random

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.airflow_options import reference
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import HEARTBEATS, LOG_PORTS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.versions import TESTED_VERSIONS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import timing
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import timing as timing_validation
from hypothesis import given, settings
from hypothesis import strategies as st


def waits(retries, low, high, draw):
    """The waits between the attempts of one call as the task SDK draws them."""
    return [draw(low, max(max(0, low), min(2.0**exponent, high))) for exponent in range(retries - 1)]


def call(retries, low, high, cost, draw):
    """Seconds that one call takes when each attempt costs ``cost``."""
    return retries * cost + sum(waits(retries, low, high, draw))


def self_kill(budget, cost, draw, lead):
    """Seconds from the last good heartbeat to the kill: the supervisor's loop, with its ``lead`` before the first
    failing heartbeat."""
    clock, failed = lead, 0
    while True:
        started = clock
        clock += call(budget.retries, budget.wait_min, budget.wait_max, cost, draw)
        failed += 1
        if failed >= budget.max_failed:
            return clock
        clock = max(clock, started + budget.interval)


def config(**workers):
    heartbeat = workers.pop("task_instance_heartbeat_timeout", 300)
    return {"scheduler": {"task_instance_heartbeat_timeout": heartbeat}, "workers": workers}


OURS = timing.budget({})


def test_the_collections_own_settings_keep_both_rules():
    assert timing_validation.check({}, 3) == []
    assert timing_validation.check({}, 2) == []
    assert (OURS.call_min, OURS.call_max, OURS.kill_min, OURS.kill_max) == (54, 126, 108, 272)
    assert OURS.call_min >= timing.LONGEST_OUTAGE
    assert OURS.kill_max < OURS.heartbeat_timeout


@given(
    st.integers(1, 12),
    st.floats(0, 12),
    st.floats(1, 90),
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(1, 30),
    st.integers(0, 10**6),
)
@settings(max_examples=300)
def test_no_run_of_the_formula_leaves_the_bounds(retries, low, high, timeout, max_failed, interval, seed):
    budget = timing.Budget(retries, low, high, timeout, max_failed, interval, 300)
    draw = random.Random(seed).uniform
    refused = call(retries, low, high, 0, draw)
    hanging = call(retries, low, high, timeout, draw)
    assert budget.call_min - 1e-9 <= refused
    assert hanging <= budget.call_max + 1e-9
    assert budget.kill_min - 1e-9 <= self_kill(budget, 0, draw, 0)
    assert self_kill(budget, timeout, draw, 2 * interval) + timing.KILL_ESCALATION <= budget.kill_max + 1e-9


def test_the_bounds_are_reached():
    lowest, highest = (lambda low, high: low), (lambda low, high: high)
    assert call(10, 6, 10, 0, lowest) == OURS.call_min
    assert call(10, 6, 10, 5, highest) == OURS.call_max


AIRFLOWS_OWN = dict.fromkeys(timing.SETTINGS["workers"])


@pytest.mark.parametrize(
    ("config", "rules"),
    [
        # Airflow's defaults: one call bears 4 s.
        ({"workers": AIRFLOWS_OWN}, ["a call to the execution API"]),
        (
            {"workers": {**AIRFLOWS_OWN, "max_failed_heartbeats": 20}},
            ["a call to the execution API", "kills its task after"],
        ),
        ({"workers": {"execution_api_retries": 5}}, ["a call to the execution API"]),
        ({"workers": {"execution_api_retry_wait_min": 1}}, ["a call to the execution API"]),
        ({"workers": {"max_failed_heartbeats": 3}}, ["kills its task after"]),
        ({"workers": {"execution_api_timeout": "60"}}, ["kills its task after"]),
        ({"scheduler": {"task_instance_heartbeat_timeout": 120}}, ["kills its task after"]),
        ({"workers": {"max_failed_heartbeats": 3}, "scheduler": {"task_instance_heartbeat_timeout": 600}}, []),
        ({"workers": {"execution_api_retries": "many"}}, []),
        ({"workers": "none"}, []),
        *(
            ({each.section: {each.threshold: 5}}, [f"with a {each.interval} of 5 s"])
            for each in HEARTBEATS.values()
            if each.threshold
        ),
        *(
            ({each.section: {each.interval: 20}}, [f"with a {each.interval} of 20 s"])
            for each in HEARTBEATS.values()
            if each.threshold
        ),
        ({"celery": {"operation_timeout": 2}}, ["one connection attempt"]),
    ],
)
def test_settings_that_break_a_rule_are_refused_with_the_arithmetic(config, rules):
    problems = timing_validation.check(config, 3)
    assert [problem.code for problem in problems] == ["FD137"] * len(rules)
    for problem, rule in zip(problems, rules, strict=True):
        assert rule in str(problem)


def test_the_arithmetic_is_shown():
    (problem,) = timing_validation.check({"workers": {"max_failed_heartbeats": 3}}, 3)
    assert problem.found == (
        "300 s, while a worker that is cut off kills its task after up to 403 s "
        "(3 max_failed_heartbeats, calls of up to 126 s = 10 attempts * 5 s + 76 s of waits)"
    )


@pytest.mark.parametrize(
    ("scheduler", "count"),
    [
        ({}, 0),
        ({"scheduler_zombie_task_threshold": 600}, 0),
        ({"scheduler_zombie_task_threshold": 30}, 1),
        ({"local_task_job_heartbeat_sec": 10}, 1),
        ({"local_task_job_heartbeat_sec": 600}, 1),
        ({"local_task_job_heartbeat_sec": 100}, 0),
    ],
)
def test_airflow_2_has_rules_of_its_own(scheduler, count):
    assert len(timing_validation.check({"scheduler": scheduler}, 2)) == count


@pytest.mark.parametrize(
    ("config", "seconds", "options"),
    [
        ({}, 60, []),
        ({"scheduler": {"job_heartbeat_sec": 120, "scheduler_heartbeat_sec": "90"}}, 600, []),
        (
            {"scheduler": {"job_heartbeat_sec": 400, "scheduler_heartbeat_sec": "301"}},
            600,
            ["scheduler", "scheduler"],
        ),
        ({"scheduler": {"scheduler_heartbeat_sec": 20}}, 30, ["scheduler"]),
        ({"scheduler": {"scheduler_heartbeat_sec": "soon"}}, 30, []),
    ],
)
def test_a_restart_waits_long_enough_for_a_heartbeat(config, seconds, options):
    problems = timing_validation.check_restarts(config, seconds)
    assert [problem.code for problem in problems] == ["FD137"] * len(options)
    assert [problem.where.split(".")[1] for problem in problems] == options


@pytest.mark.parametrize("version", TESTED_VERSIONS)
def test_airflow_knows_the_options_of_the_catalogue(version):
    known = reference(version).sections
    for each in HEARTBEATS.values():
        assert {each.threshold, each.interval} - {""} <= known[each.section].keys()
    assert {port.log_option for port in LOG_PORTS.values()} <= known["logging"].keys()
