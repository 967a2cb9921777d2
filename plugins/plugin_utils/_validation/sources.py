# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user's packages come from: files and directories on the controller."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.versions import (
    VERSIONS,
    has_nearest,
    nearest,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Wheel
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.requirements import requirements, wheel_name
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import values
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Sources:
    """What a host's variables say about its release, besides the version."""

    lock_file: str = ""
    constraints: str = ""
    requirements_file: str = ""
    wheels_dir: str = ""


def _unreadable(where: str, path: str, error: OSError | UnicodeDecodeError, expected: str) -> Problem:
    found = f"{path!r}: {getattr(error, 'strerror', None) or 'no text'}"
    return Problem(Code.FD281, where, found, f"{expected} on the controller", "Correct the path, or make it.")


def read_requirements(path: str, version: str) -> tuple[list[str], list[Problem]]:
    """The requirements in the file ``path``, for Airflow ``version``, and what is wrong with them; none without it."""
    where = "airflow_requirements_file"
    if not path:
        return [], []
    try:
        found = requirements(Path(os.path.expanduser(path)).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        return [], [_unreadable(where, path, error, "a readable file")]
    # Their sums are for uv.
    plain = [re.sub(r"\s+--hash=\S+", "", line) for line in found]
    return found, values.check_requirements(where, plain, version)


def read_wheels(directory: str, version: str) -> tuple[list[Wheel], list[Problem]]:
    """The wheels in ``directory``, for Airflow ``version``, and what is wrong with them; none without it."""
    where = "airflow_wheels_dir"
    if not directory:
        return [], []
    try:
        files = sorted(path for path in Path(os.path.expanduser(directory)).iterdir() if path.suffix == ".whl")
        found = [Wheel(path=str(path), requirement="", sha256=_digest(path, path.stat().st_mtime_ns)) for path in files]
    except OSError as error:
        return [], [_unreadable(where, directory, error, "a readable directory")]
    if not found:
        remedy = "Put wheels (.whl) there, or leave the variable out; of a source, pip wheel makes one."
        return [], [Problem(Code.FD282, where, f"no wheel in {directory!r}", "at least one", remedy)]
    return _named(found, nearest(version).pythons if has_nearest(version) else ())


def _named(found: Iterable[Wheel], pythons: tuple[str, ...]) -> tuple[list[Wheel], list[Problem]]:
    """The wheels that were ``found``, with what their names say."""
    where = "airflow_wheels_dir"
    named, problems = [], []
    versions: dict[str, set[str]] = {}
    for wheel in found:
        file = Path(wheel.path).name
        name = wheel_name(file)
        if not name:
            expected, remedy = "name-version-python-abi-platform.whl", "Give it the name back that its build gave it."
            problems.append(Problem(Code.FD282, where, repr(file), expected, remedy))
            continue
        if pythons and not any(name.fits(python) for python in pythons):
            expected = f"a wheel for Linux and Python {' or '.join(pythons)}"
            problems.append(Problem(Code.FD282, where, file, expected, "Build it with the Python of the hosts."))
        versions.setdefault(name.requirement.partition("==")[0], set()).add(name.version)
        named.append(Wheel(path=wheel.path, requirement=name.requirement, sha256=wheel.sha256))
    for package, several in versions.items():
        if len(several) > 1:
            shown = f"{package} {' and '.join(sorted(several))}"
            remedy = "Every wheel of the directory is installed: remove the others."
            problems.append(Problem(Code.FD282, where, shown, "one version of each package", remedy))
    return named, problems


@functools.cache
def _digest(path: Path, _changed: int) -> str:
    """SHA-256 of a file that ``_changed`` at that time. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check(sources: Sources, version: str) -> list[Problem]:
    """Problems of where the lock of Airflow ``version`` comes from."""
    problems = []
    if sources.constraints and sources.lock_file:
        remedy = "Remove one: a lock is installed as it is, constraints are for one that is made."
        problems.append(
            Problem(Code.FD283, "airflow_constraints", "airflow_lock_file as well", "one of the two", remedy)
        )
    if sources.constraints and not re.match("https?://", sources.constraints):
        try:
            Path(os.path.expanduser(sources.constraints)).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problems.append(_unreadable("airflow_constraints", sources.constraints, error, "a URL, or a readable file"))
    minors = [each.minor for each in VERSIONS.values()]
    if has_nearest(version) and version.rpartition(".")[0] not in minors and not sources.lock_file:
        expected = f"a lock of Airflow {version}, for a minor that was not tested"
        remedy = "Make it with: uv pip compile --generate-hashes."
        problems.append(Problem(Code.FD104, "airflow_lock_file", "nothing", expected, remedy))
    return problems
