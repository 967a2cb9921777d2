"""What a run in check mode comes down to."""

from __future__ import annotations

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._api import plan
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import SERVICES

CLUSTER = {
    "name": "prod",
    "nodes": {"m1": {}, "w1": {}, "w2": {}},
    "hosts_of": {"webserver": [1], "worker": [1, 2], "haproxy": [1]},
    "drain_timeout_seconds": 600,
}


def collected(*results: tuple[str, str, str, dict[str, object]]) -> plan.Collected:
    found = plan.Collected()
    for host, task, action, result in results:
        found.add(host, task, action, result)
    return found


def made(*results: tuple[str, str, str, dict[str, object]]) -> dict[str, object]:
    return plan.document(CLUSTER, collected(*results), ["m1", "w1"], now="now")


def test_what_changes_nothing_is_no_part_of_it() -> None:
    found = made(("m1", "Write", "x", {"changed": False, "actions": ["restart a.service"]}))
    assert (found["changes"], found["hosts"]) == (0, {})
    assert plan.lines(found) == ["plan of cluster prod: nothing to do", "not asked: w2"]


def test_a_file_and_the_restart_that_follows() -> None:
    diff = {"after_header": "/etc/airflow/airflow.cfg", "before": "a secret", "after": "another secret"}
    found = made(
        ("w1", "Write the configuration", "x", {"changed": True, "diff": [diff]}),
        ("w1", "Deploy airflow-worker", "x", {"changed": True, "stale": ["airflow-worker@default.service"]}),
    )
    text = "its tasks finish first, 600 s at most; other workers take new ones"
    assert found["hosts"] == {
        "w1": {
            "changes": [
                {"task": "Write the configuration", "details": ["/etc/airflow/airflow.cfg"]},
                {"task": "Deploy airflow-worker", "details": []},
            ],
            "actions": [
                {
                    "action": "restart",
                    "unit": "airflow-worker@default.service",
                    "service": "worker",
                    "interruption": text,
                }
            ],
        }
    }
    assert found["restarts"] == 1
    assert plan.lines(found) == [
        "plan of cluster prod: 2 changes on 1 host, 1 restart",
        "",
        "w1",
        "  change   Write the configuration: /etc/airflow/airflow.cfg",
        "  change   Deploy airflow-worker",
        f"  restart  airflow-worker@default.service; interruption: {text}",
        "not asked: w2",
    ]
    assert "secret" not in str(found)


def test_results_of_a_loop_are_one_change() -> None:
    items = [{"changed": True, "actions": ["reload haproxy.service"]}, {"changed": False, "path": "/b"}]
    found = made(("m1", "Run", "x", {"changed": True, "results": items}))
    (row,) = found["hosts"]["m1"]["actions"]  # type: ignore[index]
    assert (row["action"], row["service"], row["interruption"]) == ("reload", "haproxy", "")
    assert found["changes"] == 1


def test_what_the_controller_does_is_no_host_s() -> None:
    found = made(("m1", "Create missing secrets", "flightdeck.airflow.cluster_secrets", {"changed": True}))
    assert list(found["hosts"]) == ["controller"]  # type: ignore[call-overload]


def test_a_plan_with_a_failure_is_not_complete() -> None:
    found = collected()
    found.failed["w1"] = "no route"
    said = plan.document(CLUSTER, found, ["m1", "w1", "w2"], now="now")
    assert said["complete"] is False
    assert plan.lines(said)[-1] == "w1: not planned: no route"


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_service_has_an_interruption(service) -> None:
    alone, several = plan.INTERRUPTIONS[service.name]
    assert alone
    assert several


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        ("airflow-api-server.service", "webserver"),
        ("airflow-worker@default.service", "worker"),
        ("postgresql@15-main.service", "metastore"),
        ("patroni.service", "metastore"),
        ("rabbitmq-server.service", "rabbitmq"),
        ("haproxy.service", "haproxy"),
    ],
)
def test_the_service_of_a_unit(unit: str, name: str) -> None:
    service = plan.service_of(unit)
    assert service
    assert service.name == name


def test_a_unit_of_no_service() -> None:
    assert plan.service_of("flightdeck-logs.timer") is None
    assert plan.interruption("restart", None, 1, 0) == ""
