# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree of DAG files on the controller: what belongs to it, its digest, its archive, and everything that can be
wrong with it.

No Ansible here: plain functions over a directory, used by the ``dags_tree`` action and by the validation of the
inventory.
"""

from __future__ import annotations

import ast
import fnmatch
import gzip
import hashlib
import io
import os
import stat
import sys
import tarfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

VARIABLE = "airflow_dags_dir"
# Never part of a tree: version control, and byte code that each host's Python compiles again anyway.
IGNORED_NAMES = frozenset({".git", "__pycache__"})
IGNORED_PATTERNS = ("*.pyc",)
# Length of a revision's name, in hexadecimal digits: enough to tell revisions apart, short enough to read.
DIGEST_LENGTH = 16


class TreeError(Exception):
    """The tree cannot be shipped; the text names the variable, what was found and what to do."""


@dataclass(frozen=True)
class Entry:
    """One file or symbolic link of the tree.

    ``kind`` is ``file`` or ``link``; ``value`` is the file's SHA-256, or the link's (relative) target.
    """

    path: str
    kind: str
    value: str
    executable: bool = False

    def line(self) -> str:
        """The entry as one line of the manifest that is digested."""
        return f"{self.kind}\t{'x' if self.executable else '-'}\t{self.value}\t{self.path}\n"


@dataclass
class Tree:
    """All entries of a tree, with the generated files that have no counterpart on disk."""

    root: str
    entries: dict[str, Entry] = field(default_factory=dict)
    generated: dict[str, bytes] = field(default_factory=dict)

    def manifest(self) -> dict[str, str]:
        """Path to a value that changes with its content: what two revisions are compared by."""
        return {
            path: fingerprint(entry.kind, entry.value, executable=entry.executable)
            for path, entry in self.entries.items()
        }

    def digest(self) -> str:
        """Name of the revision: depends on relative paths, contents and the executable bit, on nothing else."""
        lines = "".join(self.entries[path].line() for path in sorted(self.entries))
        return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()[:DIGEST_LENGTH]


def fingerprint(kind: str, value: str, *, executable: bool) -> str:
    """What the manifest holds for one entry. ``flightdeck.airflow.dags_tree`` computes the same on the host."""
    return f"link:{value}" if kind == "link" else f"{'x' if executable else 'file'}:{value}"


def ignored(name: str) -> bool:
    """Whether a file or directory of this name is left out."""
    return name in IGNORED_NAMES or any(fnmatch.fnmatchcase(name, pattern) for pattern in IGNORED_PATTERNS)


def root_problem(source: str) -> str | None:
    """What is wrong with the value of ``airflow_dags_dir`` itself, or None. An empty value is right: there is nothing
    to ship.

    Reads the file system, never a file in the directory: cheap enough for the validation of every run.
    """
    if not source:
        return None
    if not os.path.isabs(source):
        return f"{source!r} is not an absolute path; '{{{{ inventory_dir }}}}/../dags' is beside the inventory"
    if not os.path.lexists(source):
        return f"{source} does not exist on the controller"
    if not os.path.exists(source):
        return f"{source} is a symbolic link to {os.readlink(source)}, which does not exist on the controller"
    if not os.path.isdir(source):
        return f"{source} is not a directory"
    if not os.access(source, os.R_OK | os.X_OK):
        return f"{source} cannot be read by the user who runs Ansible"
    return None


def _error(text: str) -> TreeError:
    return TreeError(f"{VARIABLE}: {text}. No host was changed by this task.")


def _link(root: str, path: str, relative: str) -> Entry:
    """A link that stays inside the tree, with its target made relative; raises for all others."""
    target = os.path.realpath(path)
    if not os.path.exists(target):
        raise _error(f"{relative} is a symbolic link to {os.readlink(path)}, which does not exist. Remove the link")
    inside = target == root or target.startswith(root + os.sep)
    if not inside:
        raise _error(
            f"{relative} is a symbolic link to {target}, outside of {root}. Copy what it points to into the tree, "
            "or remove it"
        )
    parts = os.path.relpath(target, root).split(os.sep)
    if any(ignored(part) for part in parts):
        raise _error(f"{relative} is a symbolic link to {target}, which is not shipped. Remove the link")
    return Entry(relative, "link", os.path.relpath(target, os.path.realpath(os.path.dirname(path))))


def _raise(error: OSError) -> None:
    raise error


def scan(source: str, generated: Mapping[str, bytes] | None = None) -> Tree:
    """Read the tree below ``source`` (may be empty: generated files only) and add ``generated`` files.

    Raises TreeError for anything that could not be shipped as it is.
    """
    problem = root_problem(source)
    if problem:
        raise _error(problem)
    root = os.path.realpath(source) if source else ""
    tree = Tree(root, generated=dict(generated or {}))
    try:
        for folder, folders, files in os.walk(root, onerror=_raise) if root else ():
            names = sorted(name for name in folders if not ignored(name))
            # os.walk lists links to directories among the directories and does not follow them.
            links = [name for name in names if os.path.islink(os.path.join(folder, name))]
            folders[:] = [name for name in names if name not in links]
            for name in [*links, *sorted(name for name in files if not ignored(name))]:
                path = os.path.join(folder, name)
                relative = os.path.relpath(path, root)
                tree.entries[relative] = _entry(root, path, relative)
    except OSError as error:
        raise _error(f"{error.filename} cannot be read: {error.strerror}") from error
    for relative, content in tree.generated.items():
        if relative in tree.entries:
            raise _error(f"{relative} in {root} has the name of a file that the collection ships itself. Rename yours")
        tree.entries[relative] = Entry(relative, "file", hashlib.sha256(content).hexdigest())
    return tree


def _entry(root: str, path: str, relative: str) -> Entry:
    info = os.lstat(path)
    if stat.S_ISLNK(info.st_mode):
        return _link(root, path, relative)
    if not stat.S_ISREG(info.st_mode):
        raise _error(f"{relative} is neither a file, a directory nor a symbolic link. Remove it")
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return Entry(relative, "file", digest.hexdigest(), executable=bool(info.st_mode & stat.S_IXUSR))


def syntax_findings(tree: Tree, target_python: str = "") -> tuple[list[str], list[str]]:
    """Errors and warnings about Python files that do not compile, each with file and line.

    ``target_python`` is the ``major.minor`` that runs the DAGs. What this interpreter cannot read is an error when it
    is at least as new as that one, and a warning when it is older or the target is unknown: newer syntax is no mistake.
    """
    target = tuple(int(part) for part in target_python.split(".")[:2]) if target_python else None
    certain = target is not None and sys.version_info[:2] >= target
    errors: list[str] = []
    warned: list[str] = []
    for relative in sorted(tree.entries):
        entry = tree.entries[relative]
        if entry.kind != "file" or not relative.endswith(".py"):
            continue
        found = _compile(_content(tree, relative), relative)
        if found:
            (errors if certain else warned).append(found)
    return errors, warned


def _compile(content: bytes, name: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(content, filename=name)
    except SyntaxError as error:
        return f"{name}, line {error.lineno or 1}: {error.msg}"
    except ValueError as error:  # null bytes, undecodable source
        return f"{name}: {error}"
    return None


def _content(tree: Tree, relative: str) -> bytes:
    if relative in tree.generated:
        return tree.generated[relative]
    with open(os.path.join(tree.root, relative), "rb") as stream:
        return stream.read()


def pack(tree: Tree, path: str) -> None:
    """Write the tree as a gzip-compressed tar archive to ``path``, atomically; the same tree gives the same bytes.

    Raises TreeError when a file changed since it was scanned: the archive would not be what its digest says.
    """
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for relative in sorted(tree.entries):
                entry = tree.entries[relative]
                member = tarfile.TarInfo(relative)
                if entry.kind == "link":
                    member.type, member.linkname = tarfile.SYMTYPE, entry.value
                    archive.addfile(member)
                    continue
                content = _content(tree, relative)
                if hashlib.sha256(content).hexdigest() != entry.value:
                    raise _error(
                        f"{relative} changed while it was read. Run again when nothing writes into the directory"
                    )
                member.size, member.mode = len(content), 0o750 if entry.executable else 0o640
                archive.addfile(member, io.BytesIO(content))
    os.replace(temporary, path)


def compare(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, list[str]]:
    """Paths that were added, changed and removed between two manifests."""
    return {
        "added": sorted(after.keys() - before.keys()),
        "changed": sorted(path for path in after.keys() & before.keys() if after[path] != before[path]),
        "removed": sorted(before.keys() - after.keys()),
    }
