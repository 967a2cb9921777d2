"""DAG files that are deployed by themselves: what they do is known before the switch, and can be undone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from changes import processes
from dag_runs import log_in
from outside import play, run_in

DAGS = Path(__file__).parents[1] / "dags"
SERVER = "fd-custom-outside"
FILE = """\
from datetime import datetime
from airflow.sdk import dag, task
{line}

@dag(schedule=None, start_date=datetime(2024, 1, 1))
def {name}():
    @task
    def one():
        return {result!r}
    one()

{name}()
"""


@pytest.fixture
def repository(tmp_path):
    """A repository with a copy of the scenario's DAGs, which the host outside serves."""
    folder = tmp_path / "repository"
    shutil.copytree(DAGS, folder / "dags")
    git(folder, "init", "--quiet", "--initial-branch=main")
    run_in(SERVER, "mkdir", "-p", "/srv/git")
    run_in(SERVER, "systemd-run", "--unit=dags-git", "python3", "-m", "http.server", "8000", "--directory=/srv/git")
    yield folder
    run_in(SERVER, "systemctl", "stop", "dags-git")


def git(folder, *arguments):
    login_of = {f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **login_of}
    return subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(folder):
    """Commit all files and serve the repository; the commit."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "x")
    git(folder, "update-server-info")
    subprocess.run(["docker", "cp", "--quiet", f"{folder}/.git/.", f"{SERVER}:/srv/git/dags.git"], check=True)
    return git(folder, "rev-parse", "HEAD")


def write(folder, name, result="", line=""):
    (folder / "dags" / f"{name}.py").write_text(FILE.format(name=name, result=result, line=line))


def deploy_directory(folder):
    return play("playbooks/deploy_dags.yml", "-e", f"airflow_dags_dir={folder / 'dags'}")


def deploy_ref(ref, cache):
    url = "http://{{ hostvars.outside.airflow_address }}:8000/dags.git"
    given = {"dags_dir": "", "dags_git_repository": url, "dags_git_ref": ref, "dags_git_path": "dags"}
    given["release_cache"] = cache
    return play("playbooks/deploy_dags.yml", *(f"-eairflow_{name}={value}" for name, value in given.items()))


def revisions(host):
    return run_in(f"fd-custom-{host}", "sh", "-c", "cd /var/lib/airflow/dags && readlink current && ls revisions")


def listed(cluster):
    dags = log_in(cluster).get(f"{cluster.api_url}/dags", timeout=30).json()["dags"]
    return {dag["dag_id"] for dag in dags}


def test_dags_are_deployed_refused_and_rolled_back(cluster, repository, tmp_path):
    before = processes()
    write(repository, "sales")
    assert "1 added, 0 removed, 0 changed" in deploy_directory(repository)
    assert {"sales", "custom_probe", "flightdeck_canary"} <= listed(cluster)

    # A branch that breaks one file.
    good = {host: revisions(host) for host in ("core", "worker1")}
    write(repository, "sales", line="import nothing_of_the_kind")
    commit(repository)
    with pytest.raises(Exception, match=r"(?s)import error: sales.py, line 3: .*nothing_of_the_kind.*FD270"):
        deploy_ref("main", tmp_path / "cache")
    assert {host: revisions(host) for host in good} == good

    # A tag in which one file has gone and one is new.
    (repository / "dags" / "sales.py").unlink()
    write(repository, "stock")
    made = commit(repository)
    git(repository, "tag", "v1")
    git(repository, "update-server-info")
    subprocess.run(["docker", "cp", "--quiet", f"{repository}/.git/.", f"{SERVER}:/srv/git/dags.git"], check=True)
    assert "1 added, 1 removed, 0 changed" in deploy_ref("v1", tmp_path / "cache")
    assert "sales" not in listed(cluster)
    assert f"commit {made[:12]} of v1" in play("playbooks/status.yml")

    assert "1 added, 1 removed, 0 changed" in play("playbooks/rollback_dags.yml")
    there = listed(cluster)
    assert "sales" in there
    assert "stock" not in there
    assert processes() == before
