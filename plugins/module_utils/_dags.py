# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Revisions of the DAG files on a host: unpack, switch, prune."""

from __future__ import annotations

import filecmp
import glob
import grp
import hashlib
import json
import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _files

LINK = "current"
# The revision that was the current one before.
PREVIOUS = "previous"
REVISIONS = "revisions"
# Where each revision came from, such as a commit.
ORIGINS = "origins"


class RevisionsError(Exception):
    """The revisions cannot do what was asked; the text says why and what helps."""


def manifest(root: str) -> dict[str, str]:
    """Relative path to a value that changes with the content, in the form that the controller computes for its tree."""
    found: dict[str, str] = {}
    for folder, folders, files in os.walk(root):
        for name in [*files, *(name for name in folders if os.path.islink(os.path.join(folder, name)))]:
            path = os.path.join(folder, name)
            info = os.lstat(path)
            relative = os.path.relpath(path, root)
            if stat.S_ISLNK(info.st_mode):
                found[relative] = f"link:{os.readlink(path)}"
                continue
            digest = hashlib.sha256()
            with open(path, "rb") as stream:
                while chunk := stream.read(1 << 20):
                    digest.update(chunk)
            found[relative] = f"{'x' if info.st_mode & stat.S_IXUSR else 'file'}:{digest.hexdigest()}"
    return found


class Revisions:
    """``<path>/revisions/<digest>``, and relative links to two of them: ``<path>/current`` and ``<path>/previous``."""

    def __init__(self, path: str, group: str) -> None:
        self.path, self.group = path, group
        self.directory = os.path.join(path, REVISIONS)
        self.link = os.path.join(path, LINK)

    def current(self) -> str:
        """Name of the current revision; empty when there is none, or when the link leads elsewhere."""
        return self._target(LINK)

    def previous(self) -> str:
        """Name of the revision that was the current one before; empty when it is not there."""
        return self._target(PREVIOUS)

    def has(self, digest: str) -> bool:
        """Whether the host has the revision."""
        return os.path.isdir(os.path.join(self.directory, digest))

    def names(self) -> list[str]:
        """Names of the revisions on the host."""
        found = os.listdir(self.directory) if os.path.isdir(self.directory) else []
        return sorted(name for name in found if not name.startswith("."))

    def _target(self, link: str) -> str:
        path = os.path.join(self.path, link)
        if not os.path.islink(path):
            return ""
        folder, name = os.path.split(os.readlink(path))
        return name if folder == REVISIONS and self.has(name) else ""

    def superfluous(self, digest: str, keep: int) -> list[str]:
        """Revisions beyond the ``keep`` most recently current ones, ``digest`` being one of those; and
        half-unpacked remains."""
        if not os.path.isdir(self.directory):
            return []
        names = os.listdir(self.directory)
        remains = [name for name in names if name.startswith(".")]
        complete = [name for name in names if not name.startswith(".") and name != digest]
        complete.sort(key=lambda name: os.lstat(os.path.join(self.directory, name)).st_mtime_ns, reverse=True)
        # A revision that was only staged may be newer than the one to go back to.
        before = self.current() if self.current() != digest else self.previous()
        complete.sort(key=lambda name: name != before)
        return sorted(remains + complete[keep - 1 :])

    def switch(self, digest: str) -> None:
        """Make ``digest``, which the host has, the current revision."""
        before = self.current()
        revision = os.path.join(self.directory, digest)
        if before:
            _renew_times(revision, os.path.join(self.directory, before))
        # The age of a revision is when it was last made current, so that going back and forth prunes neither of the
        # two.
        os.utime(revision)
        if before:
            self._point(PREVIOUS, before)
        self._point(LINK, digest)

    def remove(self, digest: str) -> None:
        """Remove a revision that is neither the current one nor the one before."""
        if digest not in (self.current(), self.previous()):
            _remove(os.path.join(self.directory, digest))

    def origin(self, digest: str) -> dict[str, str]:
        """Where a revision came from; empty when that is not known."""
        try:
            with open(self._origin(digest), encoding="utf-8") as stream:
                return dict(json.load(stream))
        except (OSError, ValueError):
            return {}

    def record(self, digest: str, origin: Mapping[str, str], check: bool) -> bool:
        """Write down where a revision came from, and forget those of revisions that went. Returns whether that
        changes something."""
        if self.origin(digest) == origin:
            return False
        if check or not self.has(digest):
            return True
        folder = os.path.dirname(self._origin(digest))
        os.makedirs(folder, mode=0o755, exist_ok=True)
        temporary = os.path.join(folder, f".new-{os.getpid()}")
        with open(temporary, "w", encoding="utf-8") as stream:
            json.dump(origin, stream)
        os.replace(temporary, self._origin(digest))
        for name in os.listdir(folder):
            if not self.has(name.removesuffix(".json")):
                os.unlink(os.path.join(folder, name))
        return True

    def _origin(self, digest: str) -> str:
        return os.path.join(self.path, ORIGINS, f"{digest}.json")

    def _point(self, link: str, digest: str) -> None:
        path = os.path.join(self.path, link)
        temporary = f"{path}.new-{os.getpid()}"
        os.symlink(os.path.join(REVISIONS, digest), temporary)
        os.replace(temporary, path)

    def apply(
        self,
        digest: str,
        *,
        archive: str | None,
        keep: int,
        check: bool,
        want_manifest: bool,
        stage: bool = False,
    ) -> dict[str, Any]:
        """Make ``digest`` the current revision, or ``stage`` it: only unpack it beside that one.

        Without ``archive`` a host that lacks the revision is left as it is and the result has ``missing: true``, so
        that the controller can send it. Raises RevisionsError for a host that is not in the expected state.
        """
        if os.path.lexists(self.link) and not os.path.islink(self.link):
            raise RevisionsError(
                f"{self.link} is not a symbolic link; move it away, this collection keeps its revisions behind "
                "that name"
            )
        before = self.current()
        revision = os.path.join(self.directory, digest)
        result: dict[str, Any] = {
            "changed": False,
            "missing": False,
            "revision": digest,
            "previous": before,
            "pruned": [],
        }
        present = os.path.isdir(revision)
        if not present and (archive is None or check):
            result.update(missing=True, changed=True)
            if want_manifest:
                result["manifest"] = manifest(os.path.join(self.directory, before)) if before else {}
            return result
        if stage:
            if archive and not present:
                self.unpack(archive, digest, before)
            return {**result, "changed": not present}
        pruned = self.superfluous(digest, keep)
        result.update(changed=before != digest or not present or bool(pruned), pruned=pruned)
        if want_manifest and before != digest and present:
            result["manifest"] = manifest(os.path.join(self.directory, before)) if before else {}
        if check or not result["changed"]:
            return result
        if archive and not present:
            self.unpack(archive, digest, before)
        if before != digest:
            self.switch(digest)
        for name in pruned:
            _remove(os.path.join(self.directory, name))
        return result

    def unpack(self, archive: str, digest: str, before: str) -> None:
        """Unpack beside the other revisions under a hidden name, then rename: a revision exists as a whole or not
        at all."""
        uid, gid = os.geteuid(), self._group_id()
        _files.ensure_parents(self.path)
        for folder in (self.path, self.directory):
            os.makedirs(folder, mode=0o700, exist_ok=True)
            os.chown(folder, uid, gid)
            os.chmod(folder, 0o750)
        temporary = os.path.join(self.directory, f".new-{digest}")
        _remove(temporary)
        os.mkdir(temporary, 0o750)
        with tarfile.open(archive, "r:gz") as packed:
            for member in packed:
                self._place(packed, member, temporary)
        previous = os.path.join(self.directory, before) if before else ""
        for folder, folders, files in os.walk(temporary):
            os.chown(folder, uid, gid)
            os.chmod(folder, 0o750)
            for name in [*files, *(name for name in folders if os.path.islink(os.path.join(folder, name)))]:
                path = os.path.join(folder, name)
                os.lchown(path, uid, gid)
                if previous:
                    _keep_time(path, os.path.join(previous, os.path.relpath(path, temporary)))
        os.rename(temporary, os.path.join(self.directory, digest))

    @staticmethod
    def _place(packed: tarfile.TarFile, member: tarfile.TarInfo, root: str) -> None:
        path = os.path.join(root, member.name)
        if os.path.isabs(member.name) or ".." in member.name.split("/"):
            raise RevisionsError(f"{member.name} in the archive leads out of the tree")
        os.makedirs(os.path.dirname(path), mode=0o750, exist_ok=True)
        if member.issym():
            os.symlink(member.linkname, path)
            return
        content = packed.extractfile(member)
        if content is None:
            raise RevisionsError(f"{member.name} in the archive is neither a file nor a link")
        with open(path, "wb") as stream:
            shutil.copyfileobj(content, stream)
            os.fchmod(stream.fileno(), 0o750 if member.mode & stat.S_IXUSR else 0o640)

    def _group_id(self) -> int:
        try:
            return grp.getgrnam(self.group).gr_gid
        except KeyError as error:
            raise RevisionsError(
                f"{error.args[0]}: the role flightdeck.airflow.airflow makes the account, run it before this one"
            ) from error


def last_read(logs: str, bundle: str, file: str) -> float:
    """When a DAG processor last wrote the log of the DAG ``file``, which it does at each reading; 0 for never.

    ``logs`` has a directory for each day, with one for each ``bundle`` where Airflow has bundles.
    """
    found = glob.glob(os.path.join(glob.escape(logs), "????-??-??", glob.escape(os.path.join(bundle, f"{file}.log"))))
    return max((os.stat(path).st_mtime for path in found), default=0.0)


def run(module: AnsibleModule, apply: Callable[[AnsibleModule], dict[str, Any]]) -> None:
    """End ``module`` with what ``apply`` returns, or with the reason why it cannot have its revision."""
    if not module.params["digest"]:
        module.fail_json(
            msg="the digest comes from the action plugin of the same name; call the module by a task, not directly"
        )
    try:
        result = apply(module)
    except RevisionsError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename or module.params['path']}: {error.strerror}")
    module.exit_json(**result)


def _keep_time(path: str, previous: str) -> None:
    """Give ``path`` the time stamp of the same file in the revision before: Airflow reads a file again when that
    changes."""
    if os.path.islink(path) or os.path.islink(previous) or not os.path.isfile(previous):
        return
    if filecmp.cmp(path, previous, shallow=False):
        info = os.stat(previous)
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def _renew_times(revision: str, previous: str) -> None:
    """Give files that differ from those in ``previous`` this moment as their time: Airflow reads a file again when that
    is newer than its last reading, and going back has older ones."""
    for folder, _folders, files in os.walk(revision):
        for name in files:
            path = os.path.join(folder, name)
            other = os.path.join(previous, os.path.relpath(path, revision))
            if not os.path.islink(path) and not (os.path.isfile(other) and filecmp.cmp(path, other, shallow=False)):
                os.utime(path)


def _remove(path: str) -> None:
    if os.path.islink(path) or os.path.isfile(path):
        os.unlink(path)
    elif os.path.isdir(path):
        shutil.rmtree(path)
