"""The verdicts of the fault suite, from histories whose verdict is known."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
import checker
import lease
import report


def answers(*ends, failed=()):
    rows = [{"layer": "http", "id": str(end), "start": end - 0.1, "end": end, "ok": True} for end in ends]
    return rows + [{"layer": "http", "id": str(end), "start": end - 0.1, "end": end, "ok": False} for end in failed]


@pytest.mark.parametrize(
    ("rows", "seconds"),
    [
        (answers(9, 10, 11, 12, 20, 21), 8),
        # Before the fault it does not count.
        (answers(1, 9.5, 10.5, 11, 20), 9),
        (answers(1, 10.5, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20), 1),
        (answers(9, 10.1, failed=[11, 12, 13]), 9.9),
        (answers(failed=[11, 12]), 10),
        ([], 10),
    ],
)
def test_an_outage_is_the_longest_time_between_two_answers(rows, seconds):
    assert checker.outage(rows, since=10, until=20) == pytest.approx(seconds)


@given(st.lists(st.floats(0, 30), min_size=1))
def test_an_outage_is_never_longer_than_it_can_be(ends):
    assert 0 <= checker.outage(answers(*ends), since=10, until=20) <= 30


def test_writes():
    attempts = [
        {"id": "kept", "ok": True},
        {"id": "lost", "ok": True},
        {"id": "doubled", "ok": True},
        {"id": "recovered", "ok": False},
        {"id": "refused", "ok": False},
    ]
    assert checker.writes(attempts, ["kept", "doubled", "doubled", "recovered", "unknown"]) == checker.Writes(
        attempted=5, acknowledged=3, lost=1, unexpected=1, recovered=1, duplicated=1
    )


def beat(task, number, at, phase="beat", body="once"):
    return {"task": task, "try": number, "at": at, "phase": phase, "body": body}


def test_tasks():
    ledger = [
        beat("a", 1, 0, "begin"), beat("a", 1, 5), beat("a", 1, 6, "end"),
        beat("b", 1, 0, "begin"), beat("b", 1, 4), beat("b", 2, 9, "begin"), beat("b", 2, 12, "end"),
    ]  # fmt: skip
    well = checker.tasks(ledger, {"a": "success", "b": "success"})
    assert well == checker.Tasks(
        tries=3, ended=2, double_starts=0, overlap_seconds=0, repeated=1, retry_seconds=5, failed=0
    )
    assert checker.stray(ledger, since=1) == 3
    # A row that came twice is no second begin.
    assert checker.tasks([*ledger, beat("a", 1, 1, "begin")], {"a": "success", "b": "success"}) == well
    twice = checker.tasks(
        [*ledger, beat("a", 1, 1, "begin", "again"), beat("b", 1, 11)], {"a": "success", "b": "failed"}
    )
    assert (twice.double_starts, twice.overlap_seconds, twice.failed) == (1, 2, 1)


def test_a_try_that_died_before_its_first_row_is_repeated_as_well():
    assert checker.tasks([beat("a", 2, 5, "begin")], {"a": "success"}).repeated == 1


def test_the_time_without_a_new_task():
    ledger = [
        beat("a", 1, 3, "begin"),
        beat("a", 1, 12),
        beat("b", 1, 14, "begin"),
        beat("a", 2, 20, "begin"),
        beat("c", 1, 30, "begin"),
    ]
    assert checker.without_new(ledger, 10) == 16
    assert checker.without_new(ledger[:3], 10) == 4
    assert checker.without_new([], 10) == float("inf")


def verdict(seconds=1.0, broken=()):
    layer = {"outage_seconds": seconds, "target_seconds": 5}
    stored = {**layer, "acknowledged": 100, "lost": 0}
    return {
        "fault": "F1",
        "title": "an api-server is killed",
        "at": 0,
        "broken": list(broken),
        "versions": {"Patroni": "4.0"},
        "http": layer,
        "metastore": stored,
        "broker": stored,
        "tasks": {"without_new_seconds": 2, "target_seconds": 60, "double_starts": 0, "tries": 10, "failed": 0},
    }


def test_a_report_shows_the_worst_and_what_was_not_kept():
    text = report.table([verdict(), verdict(7.5, ["http: 7.5 s without an answer"])])
    assert "| F1: an api-server is killed | 2 | 7.5 s of 5 **missed** |" in text
    assert "| 0 of 400 | 0 of 20 | 0 |" in text
    assert "- F1: http: 7.5 s without an answer" in text
    assert "2 runs, 1970-01-01, with Patroni 4.0." in text
    assert "5 runs, " in report.table([verdict(), {**verdict(), "times": 4}])


def test_what_was_not_measured_is_not_shown_as_nothing():
    older = {**verdict(), "tasks": {"double_starts": 0, "tries": 10, "failed": 0}}
    assert "| not measured | 0 of 200 |" in report.table([older])
    assert "| 2 s of 60 | 0 of 400 |" in report.table([older, verdict()])


def test_runs_of_several_days_are_kept_once_and_in_order():
    first, again, other = verdict(), {**verdict(), "at": 9}, {**verdict(), "fault": "F12"}
    assert [(run["fault"], run["at"]) for run in report.merged([other, first], [first, again])] == [
        ("F1", 0),
        ("F1", 9),
        ("F12", 0),
    ]
    assert sorted(["F30", "F28b", "F9", "F28a"], key=report.order) == ["F9", "F28a", "F28b", "F30"]


def test_a_result_is_what_the_table_needs():
    more = {**verdict(), "healed_seconds": 3.0, "metastore": {**verdict()["metastore"], "attempted": 101}}
    assert report.result(more) == verdict()


def test_a_report_says_that_all_was_kept():
    assert report.table([verdict()]).endswith("Every promise was kept in every run of the table.\n")


def epoch(number, login, at):
    return {"kind": "epoch", "epoch": number, "login": login, "at": at, "began": None}


def commit(login, began, at):
    return {"kind": "commit", "epoch": None, "login": login, "at": at, "began": began}


@pytest.mark.parametrize(
    ("record", "stale"),
    [
        ([commit("a", 2, 3), epoch(2, "b", 10), commit("b", 13, 14)], 0),
        # Before the other one committed nothing is late.
        ([epoch(2, "b", 10), commit("a", 2, 11), commit("b", 13, 14)], 0),
        ([epoch(2, "b", 10), commit("b", 13, 14), commit("a", 2, 15)], 1),
        # A session of the same login from an earlier epoch of its own.
        ([epoch(2, "a", 10), commit("a", 13, 14), commit("a", 2, 15)], 1),
        ([epoch(2, "b", 10), epoch(3, "a", 20), commit("a", 23, 24), commit("b", 13, 25), commit("a", 23, 26)], 1),
        # It belongs to no epoch.
        ([commit("c", 5, 6)], 1),
    ],
)
def test_a_commit_after_one_of_a_later_epoch_is_stale(record, stale):
    found = checker.commits_of([epoch(1, "a", 1), *record], 0, 30)
    assert (found.stale, found.commits) == (stale, sum(row["kind"] == "commit" for row in record))


def test_epochs_that_began_in_a_time():
    record = [epoch(1, "a", 1), commit("a", 2, 3), epoch(2, "b", 10), epoch(3, "a", 20)]
    assert [checker.changes(record, *span) for span in ((0, 30), (2, 15), (11, 19))] == [3, 1, 0]


def test_the_gap_is_the_longest_time_without_a_commit():
    record = [epoch(1, "a", 0), commit("a", 1, 9), commit("a", 1, 12), commit("a", 1, 40), commit("a", 1, 55)]
    assert checker.commits_of(record, 10, 60).gap_seconds == 28
    assert checker.commits_of(record, 10, 90).gap_seconds == 35
    # It is as long as it was, also when all was well before the next commit came.
    assert checker.commits_of(record, 10, 20).gap_seconds == 28
    assert checker.commits_of([], 10, 90).gap_seconds == 80


def test_every_recorded_run_of_the_lease_is_in_its_table():
    runs = [json.loads(line) for line in (report.HERE / "lease.jsonl").read_text().splitlines()]
    shown = report.lease_table(runs)
    assert shown in (report.DOCS / "scheduler-failover.md").read_text()
    assert {run["fault"] for run in runs} == {fault.name for fault in lease.FAULTS}
