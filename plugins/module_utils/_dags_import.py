# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Import DAG files of a revision in the surroundings of the DAG processor, before anything is switched to it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

# What makes a service of the process, or says when and as what it runs.
_OWN = frozenset(
    {
        "KillMode",
        "OOMPolicy",
        "PIDFile",
        "Restart",
        "RestartSec",
        "RuntimeDirectory",
        "SyslogIdentifier",
        "TimeoutStartSec",
        "TimeoutStopSec",
        "Type",
        "WatchdogSec",
        "WatchdogSignal",
    }
)
# Names of DAGs that are printed.
_SHOWN = 100


class ImportFailedError(Exception):
    """The files could not be imported; the text says why."""


def properties(unit: str) -> list[str]:
    """Settings of the service in the text of a unit and its drop-ins that another process can have as well."""
    found, section = [], ""
    for line in map(str.strip, unit.splitlines()):
        if line.startswith("["):
            section = line
        name, equals, _value = line.partition("=")
        own = name in _OWN or name.startswith("Exec")
        if section == "[Service]" and equals and not own and not line.startswith(("#", ";")):
            found.append(line)
    return found


def staged(settings: Sequence[str], directory: str, secrets: Sequence[str], files: Sequence[str]) -> list[str]:
    """The ``settings`` of a unit with the configuration in ``directory`` in the place of that in /etc/airflow.

    ``secrets`` are mounts of secret files as a unit has them, with their sources in ``directory``; ``files`` are those
    of the configuration that are there, by their names in it.
    """
    present = "/etc/airflow"
    kept = []
    for setting in settings:
        name, _equals, value = setting.partition("=")
        if name == "BindReadOnlyPaths" and value.rpartition(":")[2].startswith(f"{present}/secrets/"):
            continue
        environment = f"{name}={directory}/environment"
        kept.append(environment if setting == f"EnvironmentFile={present}/environment" else setting)
    for mount in secrets:
        source, _colon, target = mount.partition(":")
        name = (target or source).removeprefix(f"{directory}/secrets/")
        kept.append(f"BindReadOnlyPaths={source}:{present}/secrets/{name}")
    return [*kept, *(f"BindReadOnlyPaths={directory}/{name}:{present}/{name}" for name in files)]


def command(settings: Sequence[str], python: str, root: str, current: str, revision: str) -> list[str]:
    """The command that runs a program on standard input with ``python`` and the argument ``root``, a link to the
    directory ``current``. The program sees ``revision`` in the place of that."""
    mount = [f"BindReadOnlyPaths={revision}:{current}"] if revision != current else []
    options = [f"--property={setting}" for setting in (*settings, *mount, "Nice=10")]
    # Not --quiet: at its end systemd-run says what became of a process that could not say so itself.
    return ["systemd-run", "--wait", "--pipe", "--collect", *options, python, "-", root]


def start(argv: Sequence[str], program: str) -> subprocess.Popen[str]:
    """Start the import."""
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    if process.stdin is not None:
        process.stdin.write(program)
        process.stdin.close()
        process.stdin = None
    return process


def result(process: subprocess.Popen[str], seconds: float) -> dict[str, Any]:
    """What the import printed."""
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        process.kill()
        raise ImportFailedError(f"no end after {seconds:.0f} s") from error
    try:
        return dict(json.loads(output))
    except ValueError as error:
        answer = f"answered {output.strip()[-300:]!r}: " if output.strip() else ""
        raise ImportFailedError(f"exit code {process.returncode}: {answer}{failure(errors)}") from error


def failure(said: str) -> str:
    """Why an import ended early: the end of what the process ``said``, and what systemd-run says of it after that."""
    own, _finished, outcome = said.partition("Finished with result: ")
    lines = [line.strip() for line in own.splitlines() if line.strip() and not line.startswith("Running as unit: ")]
    ended = [line.strip() for line in outcome.splitlines()[:2] if line.strip()]
    return " / ".join([*lines[-3:], *ended])


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """DAGs that were added, removed and changed between two imports, and the errors of the second one: those that it
    caused, and those that were there."""
    old, new = before["dags"], after["dags"]
    errors = {file: last_line(text) for file, text in sorted(after["errors"].items())}
    return {
        "added": sorted(new.keys() - old.keys()),
        # A DAG that cannot be read is not gone.
        "removed": sorted(name for name in old.keys() - new.keys() if old[name][0] not in errors),
        "changed": sorted(name for name in new.keys() & old.keys() if new[name][1] != old[name][1]),
        "errors": {file: text for file, text in errors.items() if file not in before["errors"]},
        "known_errors": {file: text for file, text in errors.items() if file in before["errors"]},
    }


def lines(found: Mapping[str, Any], before: str, after: str) -> list[str]:
    """What ``compare`` found, for people."""
    words = ("added", "removed", "changed")
    count = ", ".join(f"{len(found[word])} {word}" for word in words)
    names = [f"  {word:8} {name}" for word in words for name in found[word]]
    more = [f"  and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return [
        f"DAGs of revision {after}, compared with {before}: {count}",
        *names[:_SHOWN],
        *more,
        *(f"  import error, as before: {file}, {text}" for file, text in found["known_errors"].items()),
        *(f"  import error: {file}, {text}" for file, text in found["errors"].items()),
    ]


def last_line(text: str) -> str:
    """What a traceback says at its end, with the line of the file that it names before."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    place = next((line for line in reversed(lines[:-1]) if line.startswith("File ")), "")
    number = place.partition(", line ")[2].partition(",")[0] if place else ""
    said = lines[-1][:300] if lines else "no text"
    return f"line {number}: {said}" if number.isdigit() else said
