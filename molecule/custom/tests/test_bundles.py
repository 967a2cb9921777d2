"""DAG bundles that Airflow reads itself: repositories, a bucket, a directory; their versions, and their credentials."""

from __future__ import annotations

import pytest
from changes import change, processes
from cluster_access import Access, wait_until
from dag_runs import DagRuns, log_in
from outside import run_in

CORE, WORKER, OUTSIDE = "fd-custom-core", "fd-custom-worker1", "fd-custom-outside"
BUNDLES = {"sales": "1", "operations": "1", "lake": "1", "shared": "1"}
# A first look at a repository, and a file that is parsed.
SECONDS = 90


def start(cluster: Access, dag: str, **conf: str) -> tuple[DagRuns, str]:
    """A new run of a DAG, when Airflow knows the DAG."""
    runs = DagRuns(cluster, dag)
    listed = f"{cluster.api_url}/dags/{dag}"
    wait_until(f"{dag} is listed", lambda: runs.session.get(listed, timeout=30).status_code == 200, SECONDS)
    return runs, runs.start(**conf)


def versions(runs: DagRuns, run: str) -> list[str]:
    """Of which version each task of a run was, at its end."""
    runs.succeed(run)
    return [runs.result(run, task) for task in ("first", "second")]


def push(version: str) -> None:
    """Push another version of the DAG of sales."""
    run_in(OUTSIDE, "runuser", "-u", "git", "--", "push-dag", "sales", "dags", "bundle_sales", version)


@pytest.mark.parametrize(("bundle", "version"), BUNDLES.items())
def test_a_dag_of_each_bundle_runs(cluster, bundle, version):
    assert versions(*start(cluster, f"bundle_{bundle}")) == [version, version]
    dag = log_in(cluster).get(f"{cluster.api_url}/dags/bundle_{bundle}", timeout=30).json()
    assert dag["bundle_name"] == bundle
    assert bool(dag["bundle_version"]) == (bundle in ("sales", "operations"))


def test_a_push_needs_no_run_of_a_playbook_and_a_run_keeps_its_version(cluster):
    before = processes()
    dag = f"{cluster.api_url}/dags/bundle_sales"
    session = log_in(cluster)
    old = session.get(dag, timeout=30).json()["bundle_version"]
    run_in(WORKER, "rm", "-f", "/srv/airflow/tmp/go")
    waiting = start(cluster, "bundle_sales", wait="/srv/airflow/tmp/go")
    push("2")
    wait_until("the commit is read", lambda: session.get(dag, timeout=30).json()["bundle_version"] != old, SECONDS)
    assert versions(*start(cluster, "bundle_sales")) == ["2", "2"]
    run_in(WORKER, "touch", "/srv/airflow/tmp/go")
    assert versions(*waiting) == ["1", "1"]
    assert processes() == before


def test_credentials_are_where_they_are_needed():
    for host, unit, has in (
        (CORE, "airflow-dag-processor", True),
        (WORKER, "airflow-worker@default", True),
        (CORE, "airflow-scheduler", False),
        (CORE, "airflow-api-server", False),
        (CORE, "airflow-triggerer", False),
    ):
        pid = run_in(host, "systemctl", "show", "--property=MainPID", "--value", unit).strip()
        assert ("FLIGHTDECK_BUNDLE" in run_in(host, "cat", f"/proc/{pid}/environ")) is has, unit
    # Git wrote it nowhere.
    found = "grep -rlsF -e 'kjhKJH2' -e 'PRIVATE KEY' /var/lib/airflow /var/log/airflow || :"
    assert [run_in(host, "sh", "-c", found) for host in (CORE, WORKER)] == ["", ""]


def test_a_token_that_the_server_refuses_restarts_nothing_and_another_one_its_readers():
    before = processes()
    with pytest.raises(RuntimeError, match=r"(?s)FD279 airflow_dag_bundles: found sales, .*git\.example\.org"):
        change("bundles")
    assert processes() == before
    run_in(OUTSIDE, "htpasswd", "-i", "/etc/apache2/tokens", "deploy", stdin="sales-another-2kjh")
    assert change("bundles").restarted == {"core/airflow-dag-processor", "worker1/airflow-worker@default"}


def test_the_new_token_is_used(cluster):
    dag, session = f"{cluster.api_url}/dags/bundle_sales", log_in(cluster)
    old = session.get(dag, timeout=30).json()["bundle_version"]
    push("3")
    wait_until("the commit is read", lambda: session.get(dag, timeout=30).json()["bundle_version"] != old, SECONDS)
    assert versions(*start(cluster, "bundle_sales")) == ["3", "3"]
