# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of variables that Ansible does not read, and what of ours is in them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import yaml
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.words import closest

# In Ansible's order: of a directory or file of a name, and of the same name with an extension, it takes the first one
# that exists.
_EXTENSIONS = ("", ".yml", ".yaml", ".json")
_OURS = re.compile(r"(?:^|[{,])\s*[\"']?(airflow_\w+)[\"']?\s*:", re.MULTILINE)

# YAML 1.1 reads 010 as 8, 1:30 as 90, 1_0 as 10 and 0x10 as 16.
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_OTHERS = re.compile(r"(?<![\w.])(0[\dbox_]|\d+[_:]\d)")
_PREFIX = "airflow_"

# Returns the text of a file, decrypted; empty for one that cannot be read.
Reader = Callable[[Path], str]


def candidates(root: Path, name: str) -> list[Path]:
    """What may hold the variables of the group or host ``name`` in ``root``, a directory ``group_vars`` or
    ``host_vars``."""
    return [path for extension in _EXTENSIONS if (path := root / f"{name}{extension}").exists()]


def ignored(root: Path, name: str) -> list[Path]:
    """Those of the candidates that Ansible ignores because of the first one."""
    return candidates(root, name)[1:]


def _places(roots: Iterable[Path], groups: Iterable[str], hosts: Iterable[str]) -> Iterator[tuple[Path, str]]:
    """Each directory of variables in ``roots`` with each group or host that may have some there."""
    kinds = (("group_vars", sorted(set(groups))), ("host_vars", sorted(set(hosts))))
    return ((root / kind, name) for root in roots for kind, names in kinds for name in names)


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


def check_in_inventory(
    settings: Iterable[Mapping[str, object]], sources: Iterable[Path], skipped: Callable[[str], bool]
) -> Iterator[Problem]:
    """A warning for every value that is a path in an inventory's directory: Ansible reads the files there as
    inventories, so that a line of a plugin becomes a host.

    Arguments:
        settings: of each host the values by name; paths in lists and mappings count.
        sources: the inventories.
        skipped: whether Ansible skips a file or directory of that name in an inventory's directory.

    """
    directories = [source.resolve() for source in sources if source.is_dir()]
    # Hundreds of hosts have the same ones.
    paths = {(name, text) for values in settings for name, value in values.items() for text in _paths(value)}
    for name, text in sorted(paths):
        path = Path(os.path.expanduser(text)).resolve()
        for directory in directories:
            if path.is_relative_to(directory) and not any(map(skipped, path.relative_to(directory).parts)):
                remedy = (
                    f"Move it out of {directory}, for example beside it, as "
                    f"{{{{ inventory_dir }}}}/../{path.relative_to(directory)}."
                )
                found = f"{text}, which Ansible reads as an inventory"
                yield Problem(Code.FD148, name, found, "a place outside of the inventory's directory", remedy)


def _paths(value: object) -> Iterator[str]:
    """Paths in a value that begin with / or ~."""
    if isinstance(value, str) and value.startswith(("/", "~")) and "\n" not in value:
        yield value
    elif isinstance(value, Mapping):
        yield from (path for each in value.values() for path in _paths(each))
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        yield from (path for each in value for path in _paths(each))


def check_ignored(roots: Iterable[Path], groups: Iterable[str], hosts: Iterable[str], read: Reader) -> list[Problem]:
    """A problem for every file with ``airflow_*`` variables that Ansible ignores because of another of that name.

    Arguments:
        roots: the directories that hold ``group_vars`` and ``host_vars``.
        groups: the groups whose variables count.
        hosts: the hosts whose variables count.
        read: how a file is read.

    """
    problems = []
    for folder, name in _places(sorted(set(roots)), groups, hosts):
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


def check_misnamed(roots: Iterable[Path], groups: Iterable[str], known: Iterable[str], read: Reader) -> list[Problem]:
    """A warning for every file with ``airflow_*`` variables whose name is almost that of a group of ours.

    Arguments:
        roots: the directories that hold ``group_vars``.
        groups: the groups of the inventory, whose files Ansible reads.
        known: the groups of the collection.
        read: how a file is read.

    """
    groups, meanings = set(groups), {name.removeprefix(_PREFIX): name for name in known}
    problems = []
    for folder in (root / "group_vars" for root in sorted(set(roots)) if (root / "group_vars").is_dir()):
        for path in sorted(folder.iterdir()):
            name = path.stem if path.suffix in _EXTENSIONS else path.name
            plain = name.replace("-", "_").lower()
            meant = "all" if plain == "all" else ""
            if plain.startswith(_PREFIX):
                meant = meanings.get(closest(plain.removeprefix(_PREFIX), meanings), "")
            if meant and name not in groups and (names := ours(path, read)):
                found, expected = f"{_shown(names)}, for no group of the inventory", f"{folder}/{meant}"
                remedy = "Ansible reads no file of another name for these hosts: rename it, or add the group."
                problems.append(Problem(Code.FD148, str(path), found, expected, remedy))
    return problems


def check_numbers(
    roots: Iterable[Path], groups: Iterable[str], hosts: Iterable[str], read: Reader, extra: Iterable[str] = ()
) -> list[Problem]:
    """A problem for every number of our variables that YAML reads as another one than people do.

    Arguments:
        roots: the directories that hold ``group_vars`` and ``host_vars``, and inventories that are files.
        groups: the groups whose variables count.
        hosts: the hosts whose variables count.
        read: how a file is read.
        extra: what the command line gives with ``-e``. Of ``name=value`` the value is text, which has its own check.

    """
    roots = sorted(set(roots))
    found = [file for root in roots for file in (sorted(root.iterdir()) if root.is_dir() else [root]) if file.is_file()]
    for folder, name in _places(roots, groups, hosts):
        found += candidates(folder, name)[:1]
    given = [text.strip() for text in extra]
    found += [path for text in given if text.startswith("@") and (path := Path(os.path.expanduser(text[1:]))).is_file()]
    texts = {str(file): read(file) for file in dict.fromkeys(file for path in found for file in _files(path))}
    texts |= {f"-e {position}": text for position, text in enumerate(given, start=1) if text.startswith(("{", "["))}
    return [problem for place, text in texts.items() for problem in _numbers(place, text)]


def _numbers(place: str, text: str) -> Iterator[Problem]:
    if not _OTHERS.search(text):
        return
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        # Ansible's own error, or no YAML.
        return
    for name, node in _values(root, ""):
        if node.tag == "tag:yaml.org,2002:int" and not _DECIMAL.fullmatch(node.value):
            where = f"variable {name} in {place}, line {node.start_mark.line + 1}"
            found = "a number with a leading zero, '_', ':' or letter, which YAML changes"
            remedy = "Write its decimal digits, or text in quotes."
            yield Problem(Code.FD121, where, found, "decimal digits only", remedy)


def _values(node: yaml.Node | None, name: str) -> Iterator[tuple[str, yaml.ScalarNode]]:
    """The single values of our variables below ``node``, each with the variable's name; ``name`` is that of
    ``node``."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            own = str(key.value) if not name and str(key.value).startswith(_PREFIX) else name
            # A group may have the prefix as well.
            is_group = isinstance(value, yaml.MappingNode) and any(
                each.value in ("hosts", "children", "vars") for each, _value in value.value
            )
            yield from _values(value, "" if not name and is_group else own)
    elif isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            yield from _values(entry, name)
    elif isinstance(node, yaml.ScalarNode) and name:
        yield name, node


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
