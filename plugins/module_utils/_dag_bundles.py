# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a host reaches DAG bundles. Runs as a program of its own, with the packages of the release.

Reads one JSON document from standard input: ``bundles``, and ``variables`` of the environment with their connections.
Prints one line that begins with ``MARK``: what is wrong, by the name of the bundle.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

MARK = "flightdeck-bundles "
# Seconds that git may take to answer.
SECONDS = 30
_SECRET = re.compile("pass|secret|token|key")
# What may be a commit, which a server does not list.
_COMMIT = re.compile(r"[0-9a-f]{7,40}")


def _git(kwargs: Mapping[str, Any]) -> str:
    from airflow.providers.git.hooks.git import GitHook

    url, ref = str(kwargs["repo_url"]), str(kwargs["tracking_ref"])
    hook = GitHook(git_conn_id=str(kwargs["git_conn_id"]), repo_url=url)
    refs = [] if _COMMIT.fullmatch(ref) else [f"refs/heads/{ref}", f"refs/tags/{ref}"]
    # Where a client would ask a person, it fails.
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "/bin/false", "SSH_ASKPASS": "/bin/false"}
    with hook.configure_hook_env():
        environment = {**os.environ, **quiet, **hook.env}
        try:
            done = subprocess.run(
                ["git", "ls-remote", "--", str(hook.repo_url), *refs],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
                env=environment,
            )
        except subprocess.TimeoutExpired:
            return f"a repository that does not answer within {SECONDS} s"
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        return f"a repository that git cannot read: {' / '.join(said[-3:]) or f'code {done.returncode}'}"
    return "" if not refs or done.stdout else f"no branch or tag {ref} in the repository"


def _local(kwargs: Mapping[str, Any]) -> str:
    try:
        os.listdir(str(kwargs["path"]))
    except OSError as error:
        return f"{kwargs['path']}, {error.strerror}"
    return ""


def _s3(kwargs: Mapping[str, Any]) -> str:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    hook, bucket, prefix = S3Hook(aws_conn_id=str(kwargs["aws_conn_id"])), kwargs["bucket_name"], kwargs.get("prefix")
    # What the bundle itself asks, with the error in the place of a mere no.
    hook.get_conn().head_bucket(Bucket=bucket)
    if prefix and not hook.check_for_prefix(bucket_name=bucket, prefix=prefix, delimiter="/"):
        return f"no {prefix} in bucket {bucket}"
    return ""


_KINDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {"git": _git, "local": _local, "s3": _s3}


def check(kind: str, kwargs: Mapping[str, Any]) -> str:
    """What keeps the host from reading a bundle; empty for nothing."""
    try:
        return _KINDS[kind](kwargs)
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"


def without_secrets(text: str, variables: Mapping[str, str]) -> str:
    """``text`` without what connections in the ``variables`` have as passwords and keys."""
    for connection in map(json.loads, variables.values()):
        extra = connection.get("extra") or {}
        for name, value in {**extra, "password": connection.get("password")}.items():
            if _SECRET.search(name) and isinstance(value, str) and len(value) > 3:
                text = text.replace(value, "<hidden>")
    return text


def main() -> None:
    """Entry point."""
    given = json.load(sys.stdin)
    os.environ.update(given["variables"])
    answer = os.dup(1)
    # What packages of the release print is no part of the answer.
    os.dup2(2, 1)
    found = {
        each["name"]: without_secrets(check(each["kind"], each["kwargs"]), given["variables"])
        for each in given["bundles"]
    }
    with os.fdopen(answer, "w", encoding="utf-8") as stream:
        stream.write(f"{MARK}{json.dumps({name: text for name, text in found.items() if text})}\n")


if __name__ == "__main__":
    main()
