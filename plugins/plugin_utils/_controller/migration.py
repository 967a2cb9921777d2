# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves a secrets file out of ``group_vars/all``, where earlier versions put it.

There, its directory hides ``group_vars/all.yml``.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import secrets_file, vault_file
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import controller, vars_files
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem

_NAME = "airflow_secrets.yml"
# What a killed write left behind.
_TEMPORARY = "airflow_secrets.new"
_IGNORE = ".gitignore"


@dataclass(frozen=True)
class Old:
    """A secrets file in ``folder``, a directory ``group_vars/all``; or, without ``content``, what an interrupted move
    left of it."""

    folder: Path
    content: secrets_file.Content | None

    @property
    def alone(self) -> bool:
        """Whether nothing of the user's is in the directory."""
        return all(entry.name in (_NAME, _TEMPORARY) or _is_ours(entry) for entry in self.folder.iterdir())

    @property
    def hidden(self) -> list[Path]:
        """Files that Ansible ignores because of the directory, and would read without it."""
        return vars_files.ignored(self.folder.parent, self.folder.name) if self.alone else []


def _is_ours(entry: Path) -> bool:
    return entry.name == _IGNORE and entry.read_text(encoding="utf-8").split() == [_NAME]


def find(loader: Any, directories: Iterable[str], present: Path) -> tuple[list[Old], list[Problem]]:
    """Old secrets files of the inventories in ``directories``, and what speaks against moving them to ``present``."""
    found: list[Old] = []
    problems: list[Problem] = []
    for folder in (Path(directory) / "group_vars" / "all" for directory in sorted(set(directories))):
        path = folder / _NAME
        if path == present or not folder.is_dir():
            continue
        if not path.is_file():
            rest = Old(folder, None)
            if present.exists() and rest.alone and (rest.hidden or any(folder.iterdir())):
                found.append(rest)
            continue
        if not _made_by_us(loader, path):
            continue
        if extra := secrets_file.unknown(vault_file.read(loader, path) or {}):
            expected = "secrets only, because the file moves to where Ansible does not read it as variables"
            remedy = "Move them to another file of group_vars/all, and run again."
            problems.append(Problem(Code.FD127, str(path), ", ".join(extra), expected, remedy))
            continue
        found.append(Old(folder, secrets_file.read(loader, path)))
        if why := controller.unwritable(path):
            remedy = f"Let that user write it, or move the file to {present} yourself."
            problems.append(Problem(Code.FD194, str(path), why, "a file that can be moved", remedy))
    return found, problems


def _made_by_us(loader: Any, path: Path) -> bool:
    """Whether the collection wrote the file, which may be encrypted; a file of the user's may have the same name."""
    text = str(loader.get_text_file_contents(str(path)))
    return text.startswith(secrets_file.HEADING) or f"{secrets_file.PREFIX}digest_key" in text


def check(old: Iterable[Old], present: secrets_file.Content, path: Path) -> list[Problem]:
    """A problem for every old file that contradicts ``present``, the content of ``path``."""
    problems = []
    for content, folder in ((each.content, each.folder) for each in old):
        if content is None:
            continue
        both = content.values.keys() & present.values.keys()
        differ = sorted(f"{secrets_file.PREFIX}{name}" for name in both if content.values[name] != present.values[name])
        if present.values and content.rotation and content.rotation != present.rotation:
            differ.append("the state of a rotation")
        if differ:
            problems.append(
                Problem(
                    Code.FD191,
                    f"{folder / _NAME} and {path}",
                    f"different values of {', '.join(differ)}",
                    "one secrets file",
                    "Find out which values the cluster has, and remove the other file.",
                )
            )
    return problems


def move(loader: Any, old: Old, path: Path) -> list[str]:
    """Move the secrets of ``old`` into ``path`` and remove what is left; say what was done, in a line each.

    An interruption leaves the secrets in one of the two files or the same values in both, and the next call goes on
    from there.
    """
    done = []
    if old.content is not None:
        with vault_file.locked(path):
            present = secrets_file.read(loader, path)
            merged = replace(
                present,
                values={**old.content.values, **present.values},
                rotation={**old.content.rotation, **present.rotation},
            )
            if merged != present:
                secrets_file.write(loader, path, merged)
        done.append(f"Moved the secrets of the cluster from {old.folder / _NAME} to {path}.")
    remove_directory = old.alone
    for name in (_TEMPORARY, _NAME):
        (old.folder / name).unlink(missing_ok=True)
    if remove_directory:
        shutil.rmtree(old.folder)
        done.append(f"Removed the directory {old.folder}, which held nothing else.")
    return done
