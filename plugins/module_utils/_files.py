# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Compare-and-write helpers shared by the modules of this collection that manage files."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# What stands in a diff for the content of a secret file.
_HIDDEN = "(the content is secret)\n"


@dataclass
class Change:
    """What one run did, in the shape in which Ansible shows it."""

    paths: list[str] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)

    def add(self, path: str, before: str, after: str) -> None:
        """Record that ``path`` goes from the text ``before`` to the text ``after``."""
        self.paths.append(path)
        self.diff.append({"before_header": path, "after_header": path, "before": before, "after": after})


def attributes(path: str) -> str:
    """Owner, group and mode of ``path`` as one text, such as ``root:airflow 0640``. Raises OSError."""
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


def wanted(spec: Mapping[str, Any]) -> str:
    """The same text for ``owner``, ``group`` and ``mode`` of ``spec``."""
    return f"{spec['owner']}:{spec['group']} {mode_of(spec):04o}"


def mode_of(spec: Mapping[str, Any]) -> int:
    """The mode of ``spec``. Raises ValueError when it is not four octal digits, as an unquoted number in YAML."""
    if not re.fullmatch("0[0-7]{3}", spec["mode"]):
        raise ValueError(f"{spec['path']}: mode {spec['mode']} is not a text of four octal digits, such as '0644'")
    return int(spec["mode"], 8)


def uid_gid(spec: Mapping[str, Any]) -> tuple[int, int]:
    """Numeric owner and group of ``spec``. Raises ValueError when one of them does not exist on this host."""
    try:
        return pwd.getpwnam(spec["owner"]).pw_uid, grp.getgrnam(spec["group"]).gr_gid
    except KeyError as error:
        raise ValueError(f"{spec['path']}: {error.args[0]}; create the account before its files") from None


def ensure_parents(path: str) -> None:
    """Create the missing directories above ``path``, which everybody may read whatever the umask is. Raises OSError."""
    parent = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(parent):
        return
    ensure_parents(parent)
    try:
        os.mkdir(parent)
    except FileExistsError:
        # Another process was quicker, and sets the mode.
        return
    os.chmod(parent, 0o755)


def ensure_directory(spec: Mapping[str, Any], change: Change, *, check: bool) -> None:
    """Make ``spec['path']`` a directory with owner, group and mode of ``spec``; with ``check`` only record it.

    Raises OSError and ValueError.
    """
    path = spec["path"]
    before = attributes(path) if os.path.isdir(path) else "absent"
    if before == wanted(spec):
        return
    change.add(path, before + "\n", wanted(spec) + "\n")
    if check:
        return
    if before == "absent":
        ensure_parents(path)
        os.mkdir(path, mode=0o700)
    os.chown(path, *uid_gid(spec))
    os.chmod(path, mode_of(spec))


def ensure_link(spec: Mapping[str, Any], change: Change, *, check: bool) -> None:
    """Make ``spec['path']`` a symbolic link to ``spec['target']``, replaced atomically. Raises OSError."""
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
    """Remove the file or link ``path``; with ``check`` only record it. Raises OSError, also for a directory."""
    if not os.path.lexists(path):
        return
    change.add(path, "present\n", "absent\n")
    if not check:
        # What a killed run began may still go on.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def ensure_empty_absent(path: str, change: Change, *, check: bool) -> None:
    """Remove the directory ``path`` when nothing is in it, or with ``check`` nothing but what ``change`` removes.

    Raises OSError.
    """
    if os.path.islink(path) or not os.path.isdir(path):
        return
    if any(os.path.join(path, name) not in change.paths for name in os.listdir(path)):
        return
    change.add(path, "present\n", "absent\n")
    if not check:
        os.rmdir(path)


def file_change(spec: Mapping[str, Any], content: str, *, secret: bool = False) -> tuple[str, str] | None:
    """What a diff shows before and after ``spec['path']`` gets ``content``; None when the file is as it should be.

    Of a ``secret`` file only owner, group and mode are shown. Raises OSError and ValueError.
    """
    path, after = spec["path"], wanted(spec)
    found = read_text(path)
    before = "absent" if found is None else attributes(path)
    if found == content and before == after:
        return None
    if found == content:
        return before + "\n", after + "\n"
    if secret:
        return f"{before}\n", f"{after}\n{_HIDDEN}"
    return _printable(found or ""), _printable(content)


def _printable(text: str) -> str:
    return text.encode(errors="surrogateescape").decode(errors="replace")


def read_text(path: str) -> str | None:
    """Content of ``path``, or None when there is no such file. Raises OSError."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def write_text(path: str, content: str, uid: int, gid: int, mode: int) -> None:
    """Replace ``path`` atomically: no reader sees half of it, and none sees it with another owner or mode.

    Raises OSError.
    """
    ensure_parents(path)
    temporary = f"{path}.new-{os.getpid()}"
    # What a killed run left behind; a link is not followed, because the directory may belong to a service's account.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
            stream.write(content)
            os.fchown(stream.fileno(), uid, gid)
            os.fchmod(stream.fileno(), mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
