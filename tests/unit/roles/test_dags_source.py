"""What the role dags says of a git repository before anything changes on a host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TASKS = ROOT / "roles/dags/tasks/source.yml"


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    (folder / "dags").mkdir(parents=True)
    (folder / "dags" / "a.py").write_text("a = 1\n")
    login = {f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", *arguments], cwd=folder, env={**os.environ, **login}, check=True)
    return folder


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, ""),
        ({"repository": "/nowhere"}, "FD273 airflow_dags_git_repository: found"),
        ({"ref": "v9"}, "FD274 airflow_dags_git_ref: found 'v9', which is no branch, tag or commit"),
        ({"path": "nothing"}, "FD275 airflow_dags_git_path: found 'nothing', which is no directory"),
    ],
)
def test_a_repository_is_checked_in_check_mode_too(tmp_path, repository, changes, says):
    git = {"repository": str(repository), "ref": "main", "path": "dags", "user": "git", "known_hosts": ""}
    given = {"airflow_cluster": {"dags_git": {**git, "cache": str(tmp_path / "cache"), **changes}}}
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.include_tasks": str(TASKS)}]}]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    command = [Path(sys.executable).parent / "ansible-playbook", tmp_path / "play.yml", "--check"]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(
        [*command, "-e", json.dumps(given)], capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )
    output = " ".join((done.stdout + done.stderr).split())
    assert (done.returncode != 0) == bool(says), output
    assert says in output
