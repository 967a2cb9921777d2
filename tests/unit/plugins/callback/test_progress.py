"""What a run says while it waits."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from ansible_collections.flightdeck.airflow.plugins.callback import progress

ROOT = Path(__file__).resolve().parents[4]


def named(name):
    return SimpleNamespace(get_name=lambda: name)


def over(host):
    return SimpleNamespace(host=named(host))


@pytest.fixture
def now(monkeypatch):
    clock = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock.seconds))
    return clock


@pytest.mark.usefixtures("now")
def test_a_long_task_has_a_line_every_30_seconds_until_it_ends():
    callback = progress.CallbackModule()
    for host in ("h1", "h2"):
        callback.v2_runner_on_start(named(host), named("Wait, timeout in seconds: 600"))
    seen = [callback.lines(1000 + seconds) for seconds in range(0, 65, 5)]
    assert [(5 * index, lines) for index, lines in enumerate(seen) if lines] == [
        (30, ["still running after 30 s: Wait, timeout in seconds: 600 [h1, h2]"]),
        (60, ["still running after 60 s: Wait, timeout in seconds: 600 [h1, h2]"]),
    ]
    callback.v2_runner_on_failed(over("h1"))
    assert callback.lines(1090) == ["still running after 90 s: Wait, timeout in seconds: 600 [h2]"]
    callback.v2_runner_on_ok(over("h2"))
    assert callback.lines(2000) == []


def test_short_tasks_have_none_however_many_there_are(now):
    callback = progress.CallbackModule()
    for _count in range(100):
        callback.v2_runner_on_start(named("h1"), named("Write"))
        now.seconds += 20
        assert callback.lines(now.seconds) == []
        callback.v2_runner_on_skipped(over("h1"))


def test_hosts_are_named_up_to_a_number(now):
    callback = progress.CallbackModule()
    for number in range(7):
        callback.v2_runner_on_start(named(f"h{number}"), named("Build"))
    now.seconds += 20
    callback.v2_runner_on_start(named("late"), named("Build"))
    assert callback.lines(1031) == ["still running after 30 s: Build [h0, h1, h2, h3, h4 and 2 more]"]


def nested(tasks):
    for task in tasks or ():
        yield task
        for part in ("block", "rescue", "always"):
            yield from nested(task.get(part))


def test_a_task_that_may_wait_for_a_minute_says_for_how_long():
    """In its name, which the callback and Ansible print."""
    checked, wrong = 0, []
    for path in (*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("roles/*/handlers/*.yml")):
        for task in nested(yaml.safe_load(path.read_text())):
            service = task.get("flightdeck.airflow.service", {})
            bound = str(service.get("timeout", "")) if "retries" not in task else bounded(task)
            if bound:
                checked += 1
                if not re.search(rf", timeout in seconds: (' ~ )?{re.escape(bound)}", task["name"]):
                    wrong.append((path.relative_to(ROOT).as_posix(), task["name"], bound))
    assert checked > 15
    assert wrong == []


def bounded(task):
    """Seconds that a task is tried; of one whose count is computed, what it is computed of."""
    if match := re.fullmatch(r"\{\{ (\S+)( \| default\(0\))? // (\d+)( \+ 1)? \}\}", str(task["retries"])):
        assert int(match[3]) == task["delay"]
        return match[1] if match[2] else f"{{{{ {match[1]} }}}}"
    seconds = task["retries"] * task["delay"]
    return str(seconds) if seconds >= 60 else ""
