"""Whether a host reaches DAG bundles: the program that each host runs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _dag_bundles


@pytest.mark.parametrize(("name", "says"), [("", ""), ("nothing", "No such file or directory"), ("file", "Not a dir")])
def test_a_directory_can_be_read(tmp_path, name, says):
    (tmp_path / "file").touch()
    found = _dag_bundles.check("local", {"path": str(tmp_path / name)})
    assert (says in found) if says else not found


def test_what_a_package_of_the_release_prints_is_no_part_of_the_answer(tmp_path):
    """Without Airflow, its packages cannot be imported, which is an answer, too."""
    bundles = [
        {"name": "a", "kind": "git", "kwargs": {"repo_url": "x", "tracking_ref": "main", "git_conn_id": "y"}},
        {"name": "b", "kind": "local", "kwargs": {"path": str(tmp_path)}},
    ]
    done = subprocess.run(
        [sys.executable, _dag_bundles.__file__],
        input=json.dumps({"bundles": bundles, "variables": {"A": "{}"}}),
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = done.stdout.splitlines()
    found = json.loads(line.removeprefix(_dag_bundles.MARK))
    assert list(found) == ["a"]
    assert found["a"].startswith("ModuleNotFoundError")


def test_no_answer_has_a_secret():
    variables = {"A": json.dumps({"login": "deploy", "password": "hunter2", "extra": {"private_key": "abcdef"}})}
    assert _dag_bundles.without_secrets("deploy:hunter2 abcdef", variables) == "deploy:<hidden> <hidden>"
