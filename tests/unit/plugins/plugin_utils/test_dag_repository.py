"""DAG files from real git repositories on this machine, and the variables that name them."""

from __future__ import annotations

import base64
import http.server
import os
import subprocess
import threading
from pathlib import Path

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import dag_repository
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.dag_repository import (
    Repository,
    RepositoryError,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import dags
from test_cluster import defaults

TOKEN = "hunter2/hunter2@hunter2"


def git(folder: Path, *arguments: str) -> str:
    names = {f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **names, "GIT_CONFIG_GLOBAL": "/dev/null"}
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path, **files: str) -> str:
    for name, content in files.items():
        (folder / "dags" / f"{name}.py").write_text(content)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "x")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "dags").mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "README").write_text("x")
    commit(folder, a="a = 1\n")
    return folder


def test_a_branch_a_tag_and_a_commit(source: Path, tmp_path: Path) -> None:
    first = git(source, "rev-parse", "HEAD")
    git(source, "tag", "-a", "v1", "-m", "x")
    second = commit(source, a="a = 2\n")
    repository = Repository(url=str(source))
    for ref, wanted in (("main", second), ("v1", first), (first, first), (second[:12], second)):
        directory, found = dag_repository.checkout(repository, ref, "dags", tmp_path / "cache")
        assert found == wanted, ref
        assert (directory / "a.py").read_text() == f"a = {1 if wanted == first else 2}\n"
    third = commit(source, a="a = 3\n")
    assert dag_repository.checkout(repository, "main", "dags", tmp_path / "cache")[1] == third


@pytest.mark.parametrize(
    ("url", "ref", "path", "part"),
    [
        ("/nowhere", "main", "dags", "repository"),
        (None, "other", "dags", "ref"),
        (None, "main", "nowhere", "path"),
        (None, "main", "README", "path"),
        (None, "main", "docs", "path"),
    ],
)
def test_what_is_wrong_is_named(source: Path, tmp_path: Path, url: str | None, ref: str, path: str, part: str) -> None:
    (source / "docs").mkdir()
    (source / "docs" / "x.md").write_text("x")
    commit(source)
    with pytest.raises(RepositoryError) as error:
        dag_repository.checkout(Repository(url=url or str(source)), ref, path, tmp_path / "cache")
    assert error.value.part == part


@pytest.fixture
def server(source: Path):
    """A server of the repository's files that asks for the token."""
    git(source, "update-server-info")
    wanted = "Basic " + base64.b64encode(f"me:{TOKEN}".encode()).decode()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers["Authorization"] == wanted:
                super().do_GET()
                return
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.end_headers()

        def translate_path(self, path: str) -> str:
            return str(source) + path.partition("?")[0]

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}/.git"
        served.shutdown()


def test_a_token_opens_a_repository_and_stays_nowhere(server: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    dag_repository.checkout(Repository(url=server, user="me", token=TOKEN), "main", "dags", cache)
    assert not [path for path in cache.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
    with pytest.raises(RepositoryError) as error:
        dag_repository.checkout(Repository(url=server, user="me", token="other"), "main", "dags", tmp_path / "other")
    assert error.value.part == "repository"
    assert "Authentication failed" in str(error.value)


def test_a_login_is_in_files_that_go_with_the_fetch() -> None:
    repository = Repository(url="https://git.example.org/x", token=TOKEN, key="KEY", known_hosts="host key")
    assert "hunter2" not in repr(repository)
    with repository.environment() as environment:
        values = " ".join(environment.values())
        assert "hunter2" not in values
        assert "KEY" not in values.split()
        folder = Path(environment["GIT_SSH_COMMAND"].partition("-i ")[2].partition(" ")[0]).parent
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
        assert len(list(folder.iterdir())) == 3
    assert not folder.exists()


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, []),
        ({"repository": "https://git.example.org/x.git", "token": "t"}, []),
        ({"repository": "git@git.example.org:team/x.git", "key": "k", "ref": "feature/a", "path": "a/b"}, []),
        ({"repository": "ssh://git@git.example.org:2222/x.git", "key": "k"}, []),
        ({"repository": "/srv/x.git"}, []),
        ({"token": "t", "key": "k", "path": "p"}, ["token", "key", "path"]),
        ({"repository": "https://me:hunter2@git.example.org/x.git"}, ["repository"]),
        ({"repository": "ssh://me:hunter2@git.example.org/x.git"}, ["repository"]),
        ({"repository": "ext::sh -c hunter2"}, ["repository"]),
        ({"repository": "--upload-pack=hunter2"}, ["repository"]),
        ({"repository": "x.git"}, ["repository"]),
        ({"repository": "/srv/x.git", "ref": "--all"}, ["ref"]),
        ({"repository": "/srv/x.git", "ref": "a b"}, ["ref"]),
        ({"repository": "/srv/x.git", "ref": ""}, ["ref"]),
        ({"repository": "/srv/x.git", "path": "../x"}, ["path"]),
        ({"repository": "/srv/x.git", "token": "t", "key": "k"}, ["token", "key"]),
        ({"repository": "http://git.example.org/x.git", "token": "t"}, ["token"]),
    ],
)
def test_variables_of_a_repository(given: dict[str, str], names: list[str]) -> None:
    found = dags.check(defaults(**{f"airflow_dags_git_{name}": value for name, value in given.items()}))
    assert [problem.where for problem in found] == [f"airflow_dags_git_{name}" for name in names]
    assert "hunter2" not in "".join(problem.found for problem in found if problem.where.endswith("repository"))
