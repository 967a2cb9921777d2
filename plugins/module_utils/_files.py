"""Compare-and-write helpers shared by the modules of this collection that manage files."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Change:
    """What one run did, in the shape that Ansible wants to show it."""

    paths: list[str] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)

    def add(self, path: str, before: str, after: str) -> None:
        """Record that ``path`` goes from ``before`` to ``after``."""
        self.paths.append(path)
        self.diff.append({"before_header": path, "after_header": path, "before": before, "after": after})


def attributes(path: str) -> str:
    info = os.lstat(path)
    try:
        owner = pwd.getpwuid(info.st_uid).pw_name
    except KeyError:
        owner = str(info.st_uid)
    try:
        group = grp.getgrgid(info.st_gid).gr_name
    except KeyError:
        group = str(info.st_gid)
    return f"{owner}:{group} {stat.S_IMODE(info.st_mode):04o}"


def wanted(spec: dict[str, Any]) -> str:
    return f"{spec['owner']}:{spec['group']} {int(spec['mode'], 8):04o}"


def uid_gid(spec: dict[str, Any]) -> tuple[int, int]:
    """Numeric owner and group. Raises KeyError when one of them does not exist on this host."""
    return pwd.getpwnam(spec["owner"]).pw_uid, grp.getgrnam(spec["group"]).gr_gid


def ensure_directory(spec: dict[str, Any], change: Change, *, check: bool) -> None:
    """Make ``spec['path']`` a directory with the wanted owner, group and mode."""
    path = spec["path"]
    before = attributes(path) if os.path.isdir(path) else "absent"
    if before == wanted(spec):
        return
    change.add(path, before + "\n", wanted(spec) + "\n")
    if check:
        return
    os.makedirs(path, mode=0o755, exist_ok=True)
    os.chown(path, *uid_gid(spec))
    os.chmod(path, int(spec["mode"], 8))


def ensure_link(spec: dict[str, Any], change: Change, *, check: bool) -> None:
    """Make ``spec['path']`` a symbolic link to ``spec['target']``, replaced atomically."""
    path, target = spec["path"], spec["target"]
    before = os.readlink(path) if os.path.islink(path) else ("a file" if os.path.lexists(path) else "absent")
    if before == target:
        return
    change.add(path, before + "\n", target + "\n")
    if check:
        return
    temporary = f"{path}.new-{os.getpid()}"
    os.symlink(target, temporary)
    os.replace(temporary, path)


def ensure_absent(path: str, change: Change, *, check: bool) -> None:
    """Remove the file or link ``path``; directories are never removed."""
    if not os.path.lexists(path):
        return
    change.add(path, "present\n", "absent\n")
    if not check:
        os.unlink(path)


def read_text(path: str) -> str | None:
    """Content of ``path``, or None when there is no such file."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def write_text(path: str, content: str, uid: int, gid: int, mode: int, *, in_place: bool = False) -> None:
    """Write ``content`` so that no reader sees half of it, and no one a secret before the mode is set.

    ``in_place`` is for files that are mount points themselves (``/etc/hosts`` in a container): they cannot be replaced.
    """
    if in_place:
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(content)
        return
    temporary = f"{path}.new-{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(content)
        os.fchown(stream.fileno(), uid, gid)
        os.fchmod(stream.fileno(), mode)
    os.replace(temporary, path)
