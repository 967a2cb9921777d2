"""Numbers that YAML reads as others, in files and on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import vars_files


def found(*extra):
    return [str(problem) for problem in vars_files.check_numbers([], [], [], Path.read_text, extra)]


@pytest.mark.parametrize(
    "text",
    [
        "{airflow_worker_concurrency: 010}",
        ' {"airflow_verify_timeout_seconds": 0x10}',
        "{airflow_dags_keep_revisions: 1_0}",
    ],
)
def test_a_number_of_the_command_line(text):
    (problem,) = found("airflow_tls=false", text)
    assert problem.startswith("FD121 variable airflow_")
    assert " in -e 2, line 1: found a number with a leading zero" in problem


def test_a_number_in_a_file_of_the_command_line(tmp_path):
    (tmp_path / "vars").write_text("---\nairflow_worker_concurrency: 010\n")
    (problem,) = found(f"@{tmp_path / 'vars'}")
    assert f"variable airflow_worker_concurrency in {tmp_path / 'vars'}, line 2" in problem


@pytest.mark.parametrize(
    "text", ["{airflow_worker_concurrency: 10}", "{other: 010}", "airflow_worker_concurrency=010", "@/none", "{", ""]
)
def test_what_is_none(text):
    assert found(text) == []
