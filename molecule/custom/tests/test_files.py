"""Files, secrets, environments, plugins and modules of the user's: who has them, and what a change restarts."""

from __future__ import annotations

import json

import pytest
import requests
from changes import change, deploy
from dag_runs import log_in
from outside import run_in
from tasks import in_task

HUNTER = "hunter2"
# What the DAG bundles bring along.
BUNDLES = {
    "/etc/airflow/dag_bundles",
    "/etc/airflow/files/dag_bundles/operations.known_hosts",
    "/etc/airflow/files/dag_bundles/sales.ca",
}
SEEN = """
import logging, os, resource, tempfile
from pathlib import Path
from airflow.configuration import conf
from airflow.sdk import Variable
from custom_greeting import GREETING
return {
    "file": Path("/etc/airflow/files/regions.json").read_text(),
    "template": Path("/etc/airflow/files/kube/config").read_text().splitlines()[-1],
    "secret": Path("/etc/airflow/secrets/partner_token").read_text(),
    "command": conf.get("sentry", "sentry_dsn"),
    "environment": os.environ["PARTNER_REGION"],
    "variable": Variable.get("partner_pin"),
    "module": GREETING,
    "temporary": os.path.dirname(tempfile.mkdtemp()),
    "files": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
    "logger": logging.getLogger("custom.partner").level,
}
"""


def test_a_task_reads_what_its_worker_has(cluster):
    assert in_task(cluster, SEEN.strip()) == {
        "file": '{"home": "eu"}',
        "template": "# On worker1.",
        "secret": "partner-hunter2",
        "command": "https://hunter2-key@sentry.example.org/1",
        "environment": "eu west",
        "variable": '7"$&hunter2',
        "module": "welcome",
        "temporary": "/srv/airflow/tmp",
        "files": 4096,
        "logger": 40,
    }


def test_the_airflow_command_reads_a_secret_file():
    output = run_in("fd-custom-core", "airflow", "config", "get-value", "sentry", "sentry_dsn")
    assert output.strip().endswith("https://hunter2-key@sentry.example.org/1")


def test_other_components_do_not_have_it():
    assert run_in("fd-custom-core", "ls", "/etc/airflow/secrets").split().count("partner_token") == 0
    found = set(run_in("fd-custom-core", "find", "/etc/airflow/files", "-type", "f").split())
    assert found - BUNDLES == {"/etc/airflow/files/kube/config"}


def test_the_secret_environment_is_in_no_file_that_others_read():
    found = run_in("fd-custom-worker1", "grep", "-rl", "7.*hunter2", "/etc").split()
    assert found == ["/etc/airflow/environment.d/worker.secret"]
    assert run_in("fd-custom-worker1", "stat", "-c", "%U %a", *found).split() == ["root", "600"]


def test_a_plugin_answers_through_the_load_balancer(cluster):
    answer = requests.get(f"{cluster.url}/custom/hello", timeout=30)
    assert answer.json() == {"greeting": "welcome"}


def test_a_policy_changes_a_task(cluster):
    answer = log_in(cluster).get(f"{cluster.api_url}/dags/custom_probe/tasks/probe", timeout=30)
    assert answer.json()["doc_md"] == "seen by the policy"


def test_a_change_restarts_what_reads_it_and_removes_what_is_gone(cluster):
    done = change("files")
    assert done.restarted == {"worker1/airflow-worker@default"}
    assert HUNTER not in done.output
    assert set(json.loads(run_in("fd-custom-worker1", "cat", "/etc/airflow/own_files.json"))) - BUNDLES == {
        "/etc/airflow/code",
        "/etc/airflow/environment.d/worker",
        "/etc/airflow/environment.d/worker.secret",
        "/etc/airflow/files/regions.json",
        "/etc/airflow/secrets/partner_token",
        "/etc/airflow/secrets/sentry_dsn",
    }
    folders = ["/etc/airflow/files", "/etc/airflow/environment.d"]
    assert set(run_in("fd-custom-worker1", "find", *folders, "-type", "f").split()) - BUNDLES == {
        "/etc/airflow/files/regions.json",
        "/etc/airflow/environment.d/worker",
        "/etc/airflow/environment.d/worker.secret",
    }
    secret = "from pathlib import Path\nreturn Path('/etc/airflow/secrets/partner_token').read_text()"
    assert in_task(cluster, secret) == "another-hunter2"


def test_a_plugin_that_cannot_be_imported_changes_nothing(tmp_path):
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    before = run_in("fd-custom-worker1", "readlink", "/etc/airflow/code/current")
    process = run_in("fd-custom-worker1", "systemctl", "show", "--property=MainPID", "airflow-worker@default")
    with pytest.raises(Exception, match=r"FD256.*plugins/broken.py: No module named 'nothing_of_that_name'"):
        deploy("-e", f"airflow_plugins_dir={tmp_path}", "--limit", "worker1", "--tags", "airflow")
    assert run_in("fd-custom-worker1", "readlink", "/etc/airflow/code/current") == before
    assert process == run_in("fd-custom-worker1", "systemctl", "show", "--property=MainPID", "airflow-worker@default")
