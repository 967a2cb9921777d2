# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A git repository with DAG files, as the controller has it: fetched into a cache, and one revision's files taken out.

The cache has no work tree and no login. A token or a key exists for the time of a fetch, in files of mode 0600 in a
directory of its own.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

# Revisions' files that stay in the cache: a run that begins later may need another one than a run that goes on.
_STAY = 3


class RepositoryError(Exception):
    """The repository cannot be used. ``part`` is what is wrong: ``repository``, ``ref`` or ``path``."""

    def __init__(self, part: str, found: str) -> None:
        """A fault of ``part``."""
        super().__init__(found)
        self.part = part


@dataclass(frozen=True, kw_only=True)
class Repository:
    """Where a repository is and how it is reached."""

    url: str
    user: str = "git"
    token: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    known_hosts: str = ""

    @contextmanager
    def environment(self) -> Iterator[dict[str, str]]:
        """The environment of git's processes: no questions, no settings of the machine's user, and the login."""
        with tempfile.TemporaryDirectory(prefix="flightdeck-git-") as name:
            folder = Path(name)
            helpers = []
            ssh = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=30"]
            if self.token:
                parts = urlsplit(self.url)
                login = f"{parts.scheme}://{quote(self.user, safe='')}:{quote(self.token, safe='')}@{parts.netloc}\n"
                # An empty one first: those of the user are not asked.
                helpers = ["", f"store --file={shlex.quote(str(_private(folder / 'login', login)))}"]
            if self.key:
                key = _private(folder / "key", self.key.strip() + "\n")
                ssh += ["-i", str(key), "-o", "IdentitiesOnly=yes"]
            if self.known_hosts:
                known = _private(folder / "known_hosts", self.known_hosts.strip() + "\n")
                ssh += ["-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes"]
            yield {
                **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
                "GIT_TERMINAL_PROMPT": "0",
                "GIT_SSH_COMMAND": shlex.join(ssh),
                "GIT_CONFIG_COUNT": str(len(helpers)),
                **{f"GIT_CONFIG_KEY_{number}": "credential.helper" for number in range(len(helpers))},
                **{f"GIT_CONFIG_VALUE_{number}": helper for number, helper in enumerate(helpers)},
                "LC_ALL": "C",
            }


def _private(path: Path, content: str) -> Path:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(content)
    return path


def checkout(repository: Repository, ref: str, path: str, cache: Path, timeout: float = 300) -> tuple[Path, str]:
    """A directory with the files below ``path`` at ``ref``, a branch, a tag or a commit; and the commit.

    Raises RepositoryError.
    """
    name = hashlib.sha256(repository.url.encode()).hexdigest()[:16]
    try:
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (cache / f"{name}.lock").open("w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            store = cache / f"{name}.git"
            with repository.environment() as environment:
                git = _Git(store, environment, timeout)
                git.fetch(repository.url)
            commit = git.commit(ref)
            return _files(git, commit, path, cache / name), commit
    except FileNotFoundError as error:
        raise RepositoryError("repository", f"no {error.filename} on the controller") from error
    except OSError as error:
        raise RepositoryError("repository", f"{error.filename or cache}: {error.strerror}") from error


@dataclass(frozen=True)
class _Git:
    store: Path
    environment: Mapping[str, str]
    timeout: float

    def run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
        command = ["git", f"--git-dir={self.store}", *arguments]
        try:
            return subprocess.run(
                command,
                env=dict(self.environment),
                capture_output=True,
                check=False,
                timeout=self.timeout,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired as error:
            raise RepositoryError("repository", f"no end after {self.timeout:.0f} s") from error

    def fetch(self, url: str) -> None:
        """Have all branches and tags, and no others."""
        if not self.store.exists() and (done := self.run(["init", "--quiet", "--bare"])).returncode:
            raise RepositoryError("repository", _said(done.stderr))
        refs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        done = self.run(["fetch", "--quiet", "--prune", "--force", "--no-tags", "--", url, *refs])
        if done.returncode:
            raise RepositoryError("repository", _said(done.stderr))

    def commit(self, ref: str) -> str:
        """The commit that ``ref`` means: of a branch, else a tag, else a commit of one of them."""
        for name in (f"refs/heads/{ref}", f"refs/tags/{ref}", ref):
            done = self.run(["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"])
            if not done.returncode:
                return done.stdout.decode().split()[-1]
        raise RepositoryError("ref", f"{ref!r}, which is no branch, tag or commit of a branch")


def _said(text: bytes) -> str:
    """The last lines of what git said."""
    lines = [line.strip() for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("hint:", "Please make sure", "and the repository"))]
    return " / ".join(lines[-2:])[:300] or "no answer"


def _files(git: _Git, commit: str, path: str, folder: Path) -> Path:
    """The directory with the files below ``path`` of ``commit``."""
    target = folder / hashlib.sha256(f"{commit}\n{path}".encode()).hexdigest()[:16]
    if not target.is_dir():
        done = git.run(["archive", "--format=tar", f"{commit}:{path}" if path else commit])
        if done.returncode:
            raise RepositoryError("path", f"{path!r}, which is no directory at commit {commit[:12]}")
        folder.mkdir(exist_ok=True, mode=0o700)
        with (
            tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as name,
            tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive,
        ):
            inner = Path(name) / "files"
            inner.mkdir()
            # What leads out of the tree is for the check of the tree.
            for member in archive:
                archive.extract(member, inner, filter=_kept)
            inner.rename(target)
    os.utime(target)
    if not any(each.suffix in (".py", ".zip") for each in target.rglob("*")):
        raise RepositoryError("path", f"{path or '.'!r}, which has no file of Python at commit {commit[:12]}")
    for old in sorted(folder.iterdir(), key=lambda each: each.lstat().st_mtime)[:-_STAY]:
        shutil.rmtree(old)
    return target


def _kept(member: tarfile.TarInfo, _target: str) -> tarfile.TarInfo | None:
    """Files, directories and links that git made; their names cannot lead out of the tree."""
    return member if member.isfile() or member.isdir() or member.issym() else None
