from __future__ import annotations

import json

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils._rows import Row
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._api import report
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._api.canary import row
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import HEARTBEATS

HEALTHY = {name: {"status": "healthy"} for name in ("metadatabase", *HEARTBEATS)}
URL = "http://lb/api/v2/monitor/health"


def test_a_host_that_did_not_answer_is_a_line() -> None:
    assert report.host_rows("w1", {"unreachable": True, "msg": "no\nroute"}) == [
        row("host", "w1", "unreachable", "no route")
    ]


def test_a_host_that_could_not_be_checked_is_a_line() -> None:
    (line,) = report.host_rows("w1", {"failed": True, "msg": "no python"})
    assert line["state"] == "failed"
    assert "no python" in line["detail"]


def test_a_broken_connection_is_reported_in_its_own_words() -> None:
    (line,) = report.host_rows(
        "w1", {"failed": True, "msg": "no JSON found", "module_stderr": "container w1 is\npaused"}
    )
    assert line["detail"] == "its services could not be checked: container w1 is paused"


def test_a_host_that_was_not_asked_is_none() -> None:
    assert report.host_rows("w1", None) == []


def test_rows_of_a_host_get_its_name() -> None:
    found = {"rows": [{"component": "scheduler", "state": "ok", "detail": "x"}]}
    assert report.host_rows("m1", found) == [row("scheduler", "m1", "ok", "x")]


def test_the_health_page() -> None:
    rows = report.health_rows(URL, HEALTHY, HEARTBEATS)
    assert {line["state"] for line in rows} == {"ok"}
    assert len(rows) == len(HEALTHY) > 1


@pytest.mark.parametrize("name", HEALTHY)
def test_one_unhealthy_part_of_the_health_page(name: str) -> None:
    rows = report.health_rows(URL, {**HEALTHY, name: {"status": "unhealthy"}}, HEARTBEATS)
    assert [line["component"] for line in rows if line["state"] == "failed"] == [f"health {name}"]


def test_a_component_that_the_inventory_does_not_have_may_be_null() -> None:
    answer = {**HEALTHY, "dag_processor": {"status": None}}
    assert all(line["state"] == "ok" for line in report.health_rows(URL, answer, HEARTBEATS.keys() - {"dag_processor"}))
    assert any(line["state"] == "failed" for line in report.health_rows(URL, answer, HEARTBEATS))


def test_no_health_page_at_all() -> None:
    assert report.health_rows(URL, "status 503", []) == [row("health", "-", "failed", f"{URL}: status 503")]


def test_the_table_is_aligned_sorted_by_tier_and_names_a_component_once() -> None:
    rows = [
        row("canary default", "w1", "ok", "2 of 4 tasks"),
        row("worker default", "w2", "ok", "up"),
        row("worker default", "w1", "failed", "down"),
        row("metastore airflow", "db1", "ok", "up"),
    ]
    assert report.table(report.arranged(rows)) == [
        "COMPONENT          HOST  STATE   DETAIL",
        "metastore airflow  db1   ok      up",
        "worker default     w1    failed  down",
        "                   w2    ok      up",
        "canary default     w1    ok      2 of 4 tasks",
    ]


def test_the_verdict_names_what_is_wrong() -> None:
    good, text = report.verdict(
        "prod",
        [row("scheduler", "m1", "failed", "dead"), row("health", "-", "failed", "no"), row("a", "b", "ok", "")],
        [],
    )
    assert not good
    assert text == "cluster prod: 2 of 3 findings are bad: scheduler on m1: dead; health: no"


def test_a_degraded_service_is_no_failure() -> None:
    assert report.verdict("prod", [row("haproxy web", "lb1", "degraded", "m1 MAINT")], [])[0]


def test_nothing_checked_is_not_good() -> None:
    good, text = report.verdict("prod", [], ["w1"])
    assert not good
    assert "1 hosts not asked: w1" in text


def of_all(component: str, host: str, state: str = "ok") -> Row:
    return {**row(component, host, state, f"{state} by {host}"), "scope": "cluster"}


def test_what_every_host_says_about_the_cluster_is_one_line() -> None:
    rows = [of_all("queue default", "mq1"), of_all("queue default", "mq2"), row("rabbitmq", "mq1", "ok", "x")]
    found = report.once(rows)
    assert [(line["component"], line["host"]) for line in found] == [("rabbitmq", "mq1"), ("queue default", "-")]


def test_the_worst_of_what_hosts_say_about_the_cluster_counts() -> None:
    rows = [of_all("queue default", "mq1"), of_all("queue default", "mq2", "failed"), of_all("queue default", "mq3")]
    (line,) = report.once(rows)
    assert (line["state"], line["detail"]) == ("failed", "failed by mq2")


def dags(host: str, revision: str) -> Row:
    return {**row("dags", host, "ok", f"revision {revision}"), "data": {"revision": revision}}


def test_hosts_with_different_dags_are_reported() -> None:
    assert report.revision_rows([dags("w1", "a"), dags("w2", "a"), row("dags", "w3", "failed", "none")]) == []
    (line,) = report.revision_rows([dags("w1", "a"), dags("w2", "b")])
    assert line["state"] == "failed"
    assert "a on w1; b on w2" in line["detail"]


def test_the_report_for_programs() -> None:
    said = report.document("prod", URL, "3.3.2", [dags("w1", "a"), of_all("queue x", "-")], ["w2"], now="now")
    assert said["good"] is True
    assert said["hosts_not_asked"] == ["w2"]
    assert said["rows"] == [dags("w1", "a"), row("queue x", "-", "ok", "ok by -")]
    assert json.loads(json.dumps(said)) == said
