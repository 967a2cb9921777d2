# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of where the DAGs come from: a directory or a git repository, and the login for that."""

from __future__ import annotations

import re

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.values import url_problem

# The short form of SSH: user@host:path.
_SHORT = re.compile(r"[\w.-]+@[\w.-]+:[^\s:][^\s]*")
# As git's own rules for the names of branches and tags, or a commit.
REF = re.compile(r"(?!-)(?!.*(\.\.|@\{|//))[^\s~^:?*\[\\\x00-\x1f\x7f]+")
PATH = re.compile(r"(?![-/])[^\x00-\x1f:]+")


def check(settings: Settings) -> list[Problem]:
    """Problems of the variables ``airflow_dags_git_*``."""
    repository, problems = settings.dags_git_repository, []

    def problem(name: str, found: str, expected: str, remedy: str) -> None:
        problems.append(Problem(Code.FD276, f"airflow_dags_git_{name}", found, expected, remedy))

    if not repository:
        given = [name for name in ("token", "key", "path") if getattr(settings, f"dags_git_{name}")]
        for name in given:
            remedy = f"Set the repository, or remove airflow_dags_git_{name}."
            problem(name, "a value, and no airflow_dags_git_repository", "nothing", remedy)
        return problems
    if settings.dags_dir:
        remedy = "Remove one of them: all DAG files come from one place. Airflow's own bundles may be beside it."
        problem("repository", "a value, and airflow_dags_dir is set", "one of the two", remedy)
    if fault := repository_fault(repository):
        expected = "https://..., ssh://..., user@host:path, or an absolute path on the controller"
        problem("repository", fault, expected, "A login goes into airflow_dags_git_token or airflow_dags_git_key.")
    if not REF.fullmatch(settings.dags_git_ref):
        problem("ref", repr(settings.dags_git_ref), "a branch, a tag or a commit", "Write its name.")
    path = settings.dags_git_path.strip("/")
    if path and (not PATH.fullmatch(path) or ".." in path.split("/")):
        remedy = "Write it from the top of the repository."
        problem("path", repr(settings.dags_git_path), "a directory in the repository", remedy)
    if settings.dags_git_token and not repository.startswith("https://"):
        problem("token", f"a value, and {repository!r}", "a repository at https://", "Remove it, or change the URL.")
    if settings.dags_git_key and not (repository.startswith("ssh://") or _SHORT.fullmatch(repository)):
        problem("key", f"a value, and {repository!r}", "a repository by SSH", "Remove it, or change the URL.")
    return problems


def repository_fault(repository: str) -> str:
    """What is wrong with the URL of a repository; empty for nothing. Never repeats a login."""
    if _SHORT.fullmatch(repository) or (repository.startswith("/") and not re.search(r"[\0\r\n]", repository)):
        return ""
    # An account is no secret where the key is.
    plain = not repository.startswith("ssh://")
    if fault := url_problem(repository, ("https", "http", "ssh", "git", "file"), plain=plain):
        return f"a URL with {fault}"
    return "a URL with a password" if re.match(r"ssh://[^/@]*:[^/@]*@", repository) else ""
