"""The official Python client works against the cluster: it was written by others and knows nothing of us."""

from __future__ import annotations

import time
from collections.abc import Iterator

import airflow_client.client as airflow
import pytest
import requests
from cluster_access import CANARY, access, wait_until


def configuration(**settings: str) -> airflow.Configuration:
    """How the client reaches the cluster and what it trusts."""
    return airflow.Configuration(host=access().url, ssl_ca_cert=access().ca_file or None, **settings)


@pytest.fixture(scope="module")
def token() -> str:
    """A token as the client's documentation says to get one."""
    cluster = access()
    answer = requests.post(
        f"{cluster.url}/auth/token", json={"username": cluster.user, "password": cluster.password}, timeout=30
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["access_token"])


@pytest.fixture(scope="module")
def client(token: str) -> Iterator[airflow.ApiClient]:
    """The client, through the load balancer."""
    with airflow.ApiClient(configuration(access_token=token)) as connected:
        yield connected


@pytest.fixture(scope="module")
def run(client: airflow.ApiClient) -> airflow.DAGRunResponse:
    """A finished run of the canary on all queues."""
    runs = airflow.DagRunApi(client)
    counts = {queue: 2 * len(workers) for queue, workers in access().model["queues"].items()}
    body = airflow.TriggerDAGRunPostBody(
        dag_run_id=f"client__{time.time_ns()}", logical_date=None, conf={"instances": counts, "seconds": 2}
    )
    started = runs.trigger_dag_run(CANARY, body)
    wait_until(
        "the run ends",
        lambda: runs.get_dag_run(CANARY, started.dag_run_id).state in ("success", "failed"),
        seconds=180,
        every=1.0,
    )
    return runs.get_dag_run(CANARY, started.dag_run_id)


def test_a_wrong_password_gets_no_token() -> None:
    cluster = access()
    answer = requests.post(
        f"{cluster.url}/auth/token", json={"username": cluster.user, "password": "wrong"}, timeout=30
    )
    assert answer.status_code == 401
    assert "access_token" not in answer.text


def test_without_a_token_nothing_is_answered() -> None:
    with (
        airflow.ApiClient(configuration()) as unauthenticated,
        pytest.raises(airflow.ApiException) as refused,
    ):
        airflow.DAGApi(unauthenticated).get_dags()
    assert refused.value.status == 401


def test_the_installed_version_is_the_inventorys(client: airflow.ApiClient) -> None:
    assert airflow.VersionApi(client).get_version().version == access().model["version"]["full"]


def test_no_dag_has_an_import_error(client: airflow.ApiClient) -> None:
    errors = airflow.ImportErrorApi(client).get_import_errors()
    assert not errors.total_entries, [error.stack_trace for error in errors.import_errors]


def test_a_triggered_run_succeeds(run: airflow.DAGRunResponse) -> None:
    assert run.state == "success"


def test_every_worker_ran_a_task_of_each_of_its_queues(client: airflow.ApiClient, run: airflow.DAGRunResponse) -> None:
    model = access().model
    found = airflow.TaskInstanceApi(client).get_task_instances(CANARY, run.dag_run_id, limit=100).task_instances
    ran = {(task.queue, task.hostname) for task in found if task.task_id.startswith("probe__")}
    wanted = {
        (queue, model["nodes"][worker]["address"]) for queue, workers in model["queues"].items() for worker in workers
    }
    assert wanted <= ran


def test_task_logs_of_all_workers_are_readable(client: airflow.ApiClient, run: airflow.DAGRunResponse) -> None:
    found = airflow.TaskInstanceApi(client).get_task_instances(CANARY, run.dag_run_id, limit=100).task_instances
    probes = {task.hostname: task for task in found if task.task_id.startswith("probe__")}
    assert probes
    for task in probes.values():
        log = airflow.TaskInstanceApi(client).get_log(
            CANARY, run.dag_run_id, task.task_id, task.try_number, map_index=task.map_index, full_content=True
        )
        lines = [getattr(line, "event", line) for line in log.content.actual_instance]
        assert any(f"flightdeck-canary run={run.dag_run_id} " in line for line in lines), (task.hostname, lines)


def test_the_run_can_be_awaited_over_the_asynchronous_database_engine(token: str, run: airflow.DAGRunResponse) -> None:
    """This endpoint alone uses Airflow's second, asynchronous engine, whose URL is easily wrong without any other
    sign."""
    answer = requests.get(
        f"{access().url}/api/v2/dags/{CANARY}/dagRuns/{run.dag_run_id}/wait",
        params={"interval": 1},
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    assert '"state":"success"' in answer.text.replace(" ", "")


def test_the_execution_api_is_not_offered_to_users() -> None:
    """Tasks talk to it on a port of its own, which only Airflow's hosts may use."""
    answer = requests.get(f"{access().url}/execution/health", timeout=30)
    assert answer.status_code in (403, 404)
