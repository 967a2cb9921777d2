"""Airflow's own example DAGs, as the installed release brings them, run on the cluster.

They get there as a user's DAGs do: `airflow_dags_dir` names a directory on the controller, and `deploy_dags.yml` ships
it. (Airflow's switch `load_examples` would have both dag processors parse all of them every half minute for as long as
the scenario lives.)

RUN lists what is run, LEFT_OUT what is not and why; each example file of the release has to be in one of the two.
"""

from __future__ import annotations

import datetime
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from cluster_access import CANARY, access, ansible, wait_until
from dag_runs import log_in

REPOSITORY = Path(__file__).parents[3]
# Below the site-packages of the release.
FOLDERS = ("airflow/example_dags", "airflow/providers/standard/example_dags")

# File -> DAGs that are triggered. Nothing here needs the network, a package that the release lacks, or a person.
RUN: dict[str, list[str]] = {
    "example_asset_alias.py": ["asset_alias_example_alias_producer"],
    "example_asset_state_store.py": ["example_asset_state_store_producer"],
    "example_assets.py": ["asset_produces_1"],
    "example_bash_operator.py": ["example_bash_operator"],
    "example_branch_datetime_operator.py": ["example_branch_datetime_operator"],
    "example_branch_day_of_week_operator.py": ["example_weekday_branch_operator"],
    "example_branch_labels.py": ["example_branch_labels"],
    "example_display_name.py": ["example_display_name"],
    "example_dynamic_task_mapping.py": [
        "example_dynamic_task_mapping",
        "example_task_group_mapping",
        "example_task_mapping_second_order",
    ],
    "example_dynamic_task_mapping_with_no_taskflow_operators.py": [
        "example_dynamic_task_mapping_with_no_taskflow_operators"
    ],
    "example_latest_only.py": ["latest_only"],
    "example_measurement_correction_decorator.py": ["example_measurement_correction_decorator"],
    "example_nested_branch_dag.py": ["example_nested_branch_dag"],
    "example_params_trigger_ui.py": ["example_params_trigger_ui"],
    "example_sensor_decorator.py": ["example_sensor_decorator"],
    "example_setup_teardown.py": ["example_setup_teardown"],
    "example_setup_teardown_taskflow.py": ["example_setup_teardown_taskflow"],
    "example_short_circuit_decorator.py": ["example_short_circuit_decorator"],
    "example_short_circuit_operator.py": ["example_short_circuit_operator"],
    "example_simplest_dag.py": ["example_simplest_dag"],
    "example_skip_dag.py": ["example_skip_dag"],
    "example_task_group.py": ["example_task_group"],
    "example_task_group_decorator.py": ["example_task_group_decorator"],
    "example_task_state_store_mapped.py": ["example_task_state_store_mapped"],
    "example_time_delta_sensor_async.py": ["example_time_delta_sensor_async"],
    "example_trigger_controller_dag.py": ["example_trigger_controller_dag"],
    "example_trigger_target_dag.py": ["example_trigger_target_dag"],
    "example_xcom.py": ["example_xcom"],
    "example_xcomargs.py": ["example_xcom_args", "example_xcom_args_with_operators"],
    "tutorial.py": ["tutorial"],
    "tutorial_dag.py": ["tutorial_dag"],
    "tutorial_taskflow_api.py": ["tutorial_taskflow_api"],
}

_NETWORK = "its tasks fetch something from the internet or build an environment with packages from there"
_PERSON = "waits for a person's answer"
_SAME = "shows the same as an example that is run"
_PLUGIN = "needs a plugin that Airflow registers only together with its switch load_examples"
_OTHER = "is written for an executor that this cluster does not have"
_OTHER_RUNS = "waits for runs of other DAGs, or for its own earlier ones, that a manual run does not have"
_EXTERNAL = "waits for an event outside of the cluster"
_FAILS = "is made to fail"
_EVERY_MINUTE = "its schedule starts a run every minute as soon as it is not paused"
_SAME_ASSET = "two examples give one asset different names, of which Airflow keeps one active: tasks of the other fail"
LEFT_OUT: dict[str, str] = {
    "example_asset_alias_with_no_taskflow.py": _SAME,
    "example_asset_allow_teams.py": "is about the multi-team mode, which is off",
    "example_asset_decorator.py": _SAME,
    "example_asset_partition.py": _OTHER_RUNS,
    "example_asset_with_watchers.py": _EXTERNAL,
    "example_bash_decorator.py": "sleeps for an hour at weekends",
    "example_branch_operator.py": _NETWORK,
    "example_branch_operator_decorator.py": _NETWORK,
    "example_branch_python_dop_operator_3.py": _EVERY_MINUTE,
    "example_complex.py": _SAME,
    "example_custom_weight.py": _PLUGIN,
    "example_dag_decorator.py": _NETWORK,
    "example_external_task_child_deferrable.py": _OTHER_RUNS,
    "example_external_task_marker_dag.py": _OTHER_RUNS,
    "example_external_task_parent_deferrable.py": _OTHER_RUNS,
    "example_failed_dag.py": _FAILS,
    "example_hitl_operator.py": _PERSON,
    "example_inlet_event_extra.py": _SAME_ASSET,
    "example_kubernetes_executor.py": _OTHER,
    "example_latest_only_with_trigger.py": _SAME,
    "example_local_kubernetes_executor.py": _OTHER,
    "example_measurement_correction_operator.py": _SAME,
    "example_outlet_event_extra.py": _SAME_ASSET,
    "example_params_ui_tutorial.py": _PERSON,
    "example_passing_params_via_test_command.py": _EVERY_MINUTE,
    "example_python_decorator.py": _NETWORK,
    "example_python_operator.py": _NETWORK,
    "example_retry_policy.py": _NETWORK,
    "example_sensors.py": "waits for times of day and files that are not there",
    "example_task_state_store.py": _SAME,
    "example_task_state_store_async.py": "calls TaskStateStoreAccessor.aget, which release 3.3.2 does not have",
    "example_workday_timetable.py": _PLUGIN,
    "tutorial_objectstorage.py": _NETWORK,
    "tutorial_taskflow_api_virtualenv.py": _NETWORK,
    "tutorial_taskflow_templates.py": "needs a second file, sql/tutorial_taskflow_template.sql, beside it",
}


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All example files of the release that is installed on a worker."""
    worker = access().model["hosts_of"]["worker"][0]["name"]
    folder = tmp_path_factory.mktemp("examples")
    command = "cd /opt/airflow/current/lib/python3.*/site-packages && exec tar --create " + " ".join(FOLDERS)
    packed = subprocess.run(
        ["docker", "exec", access().containers[worker], "/bin/sh", "-c", command], capture_output=True, check=True
    )
    subprocess.run(["tar", "--extract", "--directory", str(folder)], input=packed.stdout, check=True)
    return folder


@pytest.fixture(scope="module")
def session() -> requests.Session:
    """Requests with the administrator's token."""
    return log_in(access())


def deploy(*arguments: str) -> None:
    ansible(str(REPOSITORY / "playbooks" / "deploy_dags.yml"), *arguments, program="ansible-playbook")


def api() -> str:
    return f"{access().url}/api/v2"


def known(session: requests.Session) -> set[str]:
    """DAGs that a dag processor found in the folder as it is."""
    found = session.get(f"{api()}/dags", params={"limit": 100}, timeout=30).json()["dags"]
    return {dag["dag_id"] for dag in found if not dag["is_stale"]}


@pytest.fixture(scope="module")
def deployed(examples: Path, session: requests.Session, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The examples that are run are on the hosts; afterwards they are gone again."""
    folder = tmp_path_factory.mktemp("dags")
    for name in RUN:
        (source,) = [examples / below / name for below in FOLDERS if (examples / below / name).exists()]
        (folder / name).write_bytes(source.read_bytes())
    deploy("--extra-vars", f"airflow_dags_dir={folder}")
    try:
        wanted = {dag for dags in RUN.values() for dag in dags}
        wait_until("the dag processors read the examples", lambda: wanted <= known(session), seconds=300, every=2.0)
        yield
    finally:
        deploy()
    # Also ends what the schedules of the examples would start.
    wait_until("the examples are gone", lambda: known(session) == {CANARY}, seconds=300, every=2.0)


def test_each_example_is_run_or_left_out_for_a_reason(examples: Path) -> None:
    found = {path.name for below in FOLDERS for path in (examples / below).glob("*.py")} - {"__init__.py"}
    assert found == set(RUN) | set(LEFT_OUT)
    assert not set(RUN) & set(LEFT_OUT)


@pytest.mark.usefixtures("deployed")
def test_the_examples_succeed(session: requests.Session) -> None:
    """All at once: the cluster has to put up with it."""

    def readable() -> bool:
        return bool(session.get(f"{api()}/importErrors", timeout=30).json()["import_errors"] == [])

    # One that took too long to read on a busy machine is read again.
    wait_until("every example can be read", readable, seconds=90, every=2.0)
    runs: dict[str, str] = {}
    for dag in (dag for dags in RUN.values() for dag in dags):
        session.patch(
            f"{api()}/dags/{dag}", params={"update_mask": "is_paused"}, json={"is_paused": False}, timeout=30
        ).raise_for_status()
        body = {
            "dag_run_id": f"example__{time.time_ns()}",
            "logical_date": datetime.datetime.now(datetime.UTC).isoformat(),
        }
        answer = session.post(f"{api()}/dags/{dag}/dagRuns", json=body, timeout=30)
        assert answer.status_code == 200, (dag, answer.text)
        runs[dag] = body["dag_run_id"]
    states: dict[str, str] = {}

    def finished() -> bool:
        for dag, run in runs.items():
            if states.get(dag) not in ("success", "failed"):
                states[dag] = session.get(f"{api()}/dags/{dag}/dagRuns/{run}", timeout=30).json()["state"]
        return all(state in ("success", "failed") for state in states.values())

    try:
        wait_until("the examples end", finished, seconds=420, every=2.0)
    finally:
        print({dag: state for dag, state in states.items() if state != "success"})
    assert {dag: state for dag, state in states.items() if state != "success"} == {}


@pytest.mark.usefixtures("deployed")
def test_an_asset_starts_the_dag_that_consumes_it(session: requests.Session) -> None:
    dag = f"{api()}/dags/asset_consumes_1"
    session.patch(dag, params={"update_mask": "is_paused"}, json={"is_paused": False}, timeout=30).raise_for_status()

    def consumed() -> set[str]:
        found = session.get(f"{dag}/dagRuns", params={"limit": 100}, timeout=30).json()["dag_runs"]
        return {
            run["dag_run_id"] for run in found if run["run_type"] == "asset_triggered" and run["state"] == "success"
        }

    before = consumed()
    session.post(f"{api()}/dags/asset_produces_1/dagRuns", json={"logical_date": None}, timeout=30).raise_for_status()
    wait_until("asset_consumes_1 ran", lambda: consumed() - before, seconds=180, every=2.0)
