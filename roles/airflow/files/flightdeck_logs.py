#!/usr/bin/python3
"""Removes old logs of Airflow on this host: those that are too old, then the oldest until the others fit.

A file that changed lately or that a process has open stays, whatever its age. Started by a timer. Standard library
only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

DAY = 86400.0
# Seconds since its last change for which a file stays: a process may open it again.
RECENT = 3600.0
# Seconds for which an empty directory stays: a task that runs again has its log where the former one was.
EMPTY = 2 * DAY
UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
# Seconds between two times that the journal is cut.
JOURNAL_SECONDS = 0.9 * DAY
PROC = Path("/proc")


@dataclass(frozen=True)
class Log:
    """A file below the directory of the logs."""

    path: str
    identity: tuple[int, int]
    changed: float
    size: int


@dataclass
class Result:
    """What became of the logs of a directory."""

    removed: int = 0
    freed: int = 0
    left: int = 0
    problems: list[str] = field(default_factory=list)


def walk(directory: str) -> Iterator[tuple[str, int, list[str], list[str]]]:
    """As ``os.fwalk`` without following links: path below ``directory``, a descriptor, names of directories and of
    others."""
    for path, folders, files, descriptor in os.fwalk(directory, topdown=False, follow_symlinks=False):
        yield os.path.relpath(path, directory), descriptor, folders, files


def logs_of(directory: str) -> list[Log]:
    """The regular files below ``directory``, the oldest first."""
    found = []
    for path, descriptor, _folders, names in walk(directory):
        for name in names:
            try:
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                found.append(
                    Log(
                        os.path.normpath(os.path.join(path, name)),
                        (status.st_dev, status.st_ino),
                        status.st_mtime,
                        status.st_blocks * 512,
                    )
                )
    return sorted(found, key=lambda log: (log.changed, log.path))


def open_files(account: int) -> set[tuple[int, int]]:
    """The files that processes of this host have open.

    Raises PermissionError when one of the ``account`` that writes logs does not show its own.
    """
    found: set[tuple[int, int]] = set()
    for process in PROC.glob("[0-9]*"):
        try:
            try:
                found |= files_of(process)
            except PermissionError:
                # In a container without CAP_SYS_PTRACE.
                owner = process.stat()
                if owner.st_uid == account != os.geteuid():
                    with acting_as(owner):
                        found |= files_of(process)
        except (FileNotFoundError, ProcessLookupError):
            # It has ended.
            continue
    return found


def files_of(process: Path) -> set[tuple[int, int]]:
    """The files that a process has open, by its directory below /proc. Raises OSError."""
    found = set()
    for descriptor in (process / "fd").iterdir():
        try:
            status = descriptor.stat()
        except FileNotFoundError:
            continue
        found.add((status.st_dev, status.st_ino))
    return found


@contextlib.contextmanager
def acting_as(owner: os.stat_result) -> Iterator[None]:
    """With the rights of the account and the group of ``owner``."""
    before = os.geteuid(), os.getegid()
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(before[0])
        os.setegid(before[1])


def room(text: str, directory: str) -> float:
    """Bytes that ``text``, a size or a share of the file system of ``directory``, stands for. Raises ValueError."""
    if text == "infinity":
        return float("inf")
    if text.endswith("%"):
        system = os.statvfs(directory)
        return system.f_blocks * system.f_frsize * float(text[:-1]) / 100
    digits, unit = (text[:-1], text[-1]) if text[-1:].isalpha() else (text, "")
    if unit not in UNITS or not digits.isdecimal():
        raise ValueError(f"{text!r} is no size")
    return float(int(digits) * UNITS[unit])


def chosen(logs: Iterable[Log], now: float, days: float, most: float) -> list[Log]:
    """Those of the ``logs``, the oldest first, that are older than ``days``, and then the oldest until the rest takes
    at most ``most`` bytes. One that changed lately is not among them."""
    logs = list(logs)
    total = sum(log.size for log in logs)
    found = []
    for log in logs:
        if now - log.changed < RECENT or (now - log.changed < days * DAY and total <= most):
            continue
        found.append(log)
        total -= log.size
    return found


def remove(directory: str, path: str) -> None:
    """Remove the file ``path`` below ``directory``. Raises OSError.

    Step by step, because the account that owns the directories could put a link in the place of one.
    """
    *folders, name = path.split("/")
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        os.unlink(name, dir_fd=descriptor)
    finally:
        os.close(descriptor)


def remove_empty(directory: str, now: float) -> None:
    """Remove directories below ``directory`` in which there has been nothing for long."""
    for _path, descriptor, folders, _names in walk(directory):
        for name in folders:
            try:
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode) and now - status.st_mtime >= EMPTY:
                    os.rmdir(name, dir_fd=descriptor)
            except OSError:
                # It is not empty, or has just gone.
                continue


def clean(directory: str, days: float, size: str, now: float) -> Result:
    """Remove what is too old or too much below ``directory``."""
    result = Result()
    logs = logs_of(directory)
    old = chosen(logs, now, days, room(size, directory))
    try:
        busy = open_files(os.stat(directory).st_uid) if old else set()
    except PermissionError as error:
        result.problems.append(f"nothing was removed, because it is unknown what is open: {error}")
        old, busy = [], set()
    free = [log for log in old if log.identity not in busy]
    for log in free:
        try:
            remove(directory, log.path)
        except FileNotFoundError:
            continue
        except OSError as error:
            result.problems.append(f"{os.path.join(directory, log.path)}: {error.strerror}")
            continue
        result.removed += 1
        result.freed += log.size
    result.left = sum(log.size for log in logs) - result.freed
    remove_empty(directory, now)
    return result


def cut_journal(days: int, state: Path, now: float) -> None:
    """Remove what the journal has from before ``days``, at most once a day: it removes whole files, and each time
    begins a new one."""
    stamp = state / "journal"
    if stamp.exists() and now - stamp.stat().st_mtime < JOURNAL_SECONDS:
        return
    subprocess.run(["journalctl", "--quiet", "--rotate", f"--vacuum-time={days}d"], check=True)
    stamp.touch()


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="flightdeck-logs", description=__doc__)
    parser.add_argument("directory", nargs="+", help="directory of logs; one that is not there is left out")
    parser.add_argument("--days", type=int, required=True, help="age at which a log is removed")
    parser.add_argument(
        "--max-size", required=True, metavar="SIZE", help="room for the logs of a directory: 10G, 80%% or infinity"
    )
    parser.add_argument("--journal", type=Path, metavar="STATE", help="cut the journal, too; a directory for its time")
    arguments = parser.parse_args()
    now = time.time()
    code = 0
    for directory in dict.fromkeys(os.path.realpath(name) for name in arguments.directory if os.path.isdir(name)):
        result = clean(directory, arguments.days, arguments.max_size, now)
        print(f"{directory}: removed {result.removed} files, {result.freed >> 20} MiB; {result.left >> 20} MiB stay")
        for problem in result.problems:
            print(problem, file=sys.stderr)
            code = 1
    if arguments.journal:
        cut_journal(arguments.days, arguments.journal, now)
    return code


if __name__ == "__main__":
    sys.exit(main())
