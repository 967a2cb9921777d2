"""Files of variables that Ansible does not read, and what of ours is in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem

# In Ansible's order: of a directory or file of a name, and of the same name with an extension, it takes the first one
# that exists.
_EXTENSIONS = ("", ".yml", ".yaml", ".json")
_OURS = re.compile(r"(?:^|[{,])\s*[\"']?(airflow_\w+)[\"']?\s*:", re.MULTILINE)

# Returns the text of a file, decrypted; empty for one that cannot be read.
Reader = Callable[[Path], str]


def candidates(root: Path, name: str) -> list[Path]:
    """What may hold the variables of the group or host ``name`` in ``root``, a directory ``group_vars`` or
    ``host_vars``."""
    return [path for extension in _EXTENSIONS if (path := root / f"{name}{extension}").exists()]


def ignored(root: Path, name: str) -> list[Path]:
    """Those of the candidates that Ansible ignores because of the first one."""
    return candidates(root, name)[1:]


def ours(path: Path, read: Reader) -> list[str]:
    """The ``airflow_*`` variables in a file, or in the files of a directory, as Ansible would read them."""
    return sorted({name for file in _files(path) for name in _OURS.findall(read(file))})


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        for entry in sorted(path.iterdir()):
            if (
                not entry.name.startswith(".")
                and not entry.name.endswith("~")
                and (entry.is_dir() or entry.suffix in _EXTENSIONS)
            ):
                yield from _files(entry)
    elif path.is_file():
        yield path


def check_ignored(roots: Iterable[Path], groups: Iterable[str], hosts: Iterable[str], read: Reader) -> list[Problem]:
    """A problem for every file with ``airflow_*`` variables that Ansible ignores because of another of that name.

    Arguments:
        roots: the directories that hold ``group_vars`` and ``host_vars``.
        groups: the groups whose variables count.
        hosts: the hosts whose variables count.
        read: how a file is read.

    """
    places = (("group_vars", sorted(set(groups))), ("host_vars", sorted(set(hosts))))
    problems = []
    for folder, name in (
        (root / kind, name) for root in sorted(set(roots)) for kind, names in places for name in names
    ):
        first, *others = candidates(folder, name) or [folder]
        for path in others:
            if names := ours(path, read):
                expected = "one of the two, because Ansible reads the first one only"
                remedy = (
                    f"Move {path.name} into the directory {first}."
                    if first.is_dir()
                    else f"Merge the two into {first}."
                )
                problems.append(Problem(Code.FD192, str(path), f"{_shown(names)}, hidden by {first}", expected, remedy))
    return problems


def beside_playbooks(playbooks: Iterable[Path], known: Iterable[Path], read: Reader) -> str | None:
    """The warning about ``airflow_*`` variables beside the user's playbook, which plays of a collection do not read.

    ``known`` are directories whose ``group_vars`` and ``host_vars`` Ansible does read, ``read`` is how a file is read.
    """
    known = {path.resolve() for path in known}
    found = []
    for folder in sorted({playbook.resolve().parent for playbook in playbooks} - known):
        for kind in ("group_vars", "host_vars"):
            if (folder / kind).is_dir() and (folder / kind).resolve() not in {path / kind for path in known}:
                found += [
                    f"{_shown(names)} in {entry}"
                    for entry in sorted((folder / kind).iterdir())
                    if (names := ours(entry, read))
                ]
    if not found:
        return None
    remedy = "Ansible reads group_vars and host_vars beside the inventory for them: move the variables there."
    return f"{Code.FD193} the plays of the collection do not read {'; '.join(found)}. {remedy}"


def _shown(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
