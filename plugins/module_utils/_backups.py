# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""What pgBackRest says about the backups of a cluster: for status, and to choose what to restore.

flightdeck-dump answers in the same form. Without Ansible.
"""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import dataclass, field
from typing import Any

# The annotation of each backup with what the cluster was.
MANIFEST = "flightdeck"
# The stanza exists, and its backups can be read; there are none yet.
_KNOWN = (0, 2)
# The type of a dump of what a restore was about to replace: a restore takes it by its label only.
REPLACED = "replaced"


# Why PostgreSQL left a timeline when no restore to a target did.
_FAILOVER = "no recovery target specified"


def _lsn(text: str) -> int:
    """A place in the write-ahead log, such as ``0/3C00DAC0``."""
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


@dataclass(frozen=True)
class History:
    """The timelines of the server.

    ``forks`` are those before the ``newest`` one, each with the place where it was left, and why; ``made`` says when a
    timeline was, in seconds since 1970. Without forks, nothing is known: there is one timeline, or the repository is
    younger than the last one.
    """

    newest: int = 1
    made: dict[int, float] = field(default_factory=dict)
    forks: tuple[tuple[int, int, str], ...] = ()

    def timeline(self, until: float | None) -> int:
        """The timeline that has the moment ``until``, or the newest one.

        A restore to a time begins a timeline, which has nothing of the time between that one and the restore. What was
        written then is in the timeline before, and so is what another run of the same restore needs.
        """
        found = left = self.newest
        for number, _place, reason in reversed(self.forks):
            if until is None or until >= self.made.get(left, 0):
                break
            if _FAILOVER not in reason:
                found = number
            left = number
        return found

    def leads(self, backup: Backup, timeline: int) -> bool:
        """Whether the write-ahead log goes from the end of ``backup`` to ``timeline``."""
        if not self.forks:
            return True
        before = {number: place for number, place, _reason in self.forks if number < timeline}
        return backup.timeline == timeline or backup.end <= before.get(backup.timeline, -1)


def parse_history(found: dict[str, Any]) -> History:
    """The answer of ``flightdeck-restore history``; empty for one timeline only."""
    return History(
        newest=int(found.get("newest", 1)),
        made={int(number): float(time) for number, time in found.get("made", {}).items()},
        forks=tuple((int(number), _lsn(place), str(reason)) for number, place, reason in found.get("forks", ())),
    )


@dataclass(frozen=True)
class Backup:
    """One backup.

    ``start`` and ``stop`` are seconds since 1970, sizes are bytes; ``manifest`` says what the cluster was. ``timeline``
    and ``end`` say where in the write-ahead log it ends; a dump has none.
    """

    label: str
    kind: str
    start: int
    stop: int
    size: int
    repository_size: int
    system_id: int
    damaged: bool = False
    manifest: dict[str, Any] = field(default_factory=dict)
    timeline: int = 1
    end: int = 0

    @property
    def text(self) -> str:
        """The backup in words."""
        return f"{self.label} ({self.kind}, ended {moment(self.stop)})"


def moment(seconds: float) -> str:
    """A time in UTC as PostgreSQL and the arguments of restore.yml write it, with every part of a second."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(sep=" ").removesuffix(":00")


def parse(text: str) -> tuple[list[Backup], str]:
    """The backups in the output of ``pgbackrest info --output=json`` for one stanza, oldest first, and what is wrong
    with the repository, empty when nothing is.

    Raises ValueError for what is no such output.
    """
    try:
        stanza = json.loads(text)[0]
        status = stanza["status"]
        systems = {entry["id"]: int(entry["system-id"]) for entry in stanza.get("db") or []}
        backups = [_backup(entry, systems) for entry in stanza.get("backup") or []]
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"no answer of pgbackrest info: {type(error).__name__}") from error
    problem = "" if status["code"] in _KNOWN else str(status["message"])
    return sorted(backups, key=lambda backup: backup.stop), problem


def _backup(entry: dict[str, Any], systems: dict[int, int]) -> Backup:
    times, info = entry["timestamp"], entry["info"]
    try:
        manifest = json.loads((entry.get("annotation") or {}).get(MANIFEST, "{}"))
    except ValueError:
        manifest = {}
    return Backup(
        label=str(entry["label"]),
        kind=str(entry["type"]),
        start=int(times["start"]),
        stop=int(times["stop"]),
        size=int(info["size"]),
        repository_size=int(info["repository"]["delta"]),
        system_id=systems.get(entry["database"]["id"], 0),
        damaged=bool(entry.get("error")),
        manifest=manifest if isinstance(manifest, dict) else {},
        timeline=int(str((entry.get("archive") or {}).get("stop") or "00000001")[:8], 16),
        end=_lsn(str((entry.get("lsn") or {}).get("stop") or "0/0")),
    )


def chosen(
    backups: list[Backup], label: str = "", until: float | None = None, history: History | None = None
) -> Backup | None:
    """The backup to restore: that of the ``label``, or the last one that ended before ``until``; None for none.

    One from which the write-ahead log does not lead there, by the ``history``, is none.
    """
    history = history or History()
    wanted = [backup for backup in backups if backup.label == label] if label else regular(backups)
    if label and until is None:
        return wanted[0] if wanted else None
    timeline = history.timeline(until)
    fitting = [each for each in wanted if history.leads(each, timeline) and (until is None or each.stop <= until)]
    return fitting[-1] if fitting else None


def regular(backups: list[Backup]) -> list[Backup]:
    """Those of the ``backups`` that no restore made of what it was about to replace."""
    return [backup for backup in backups if backup.kind != REPLACED]


def age_row(backups: list[Backup], problem: str, max_age_hours: int, now: float) -> tuple[bool, str]:
    """Whether the last of the ``backups`` is young enough, and a line about it."""
    if problem:
        return False, f"the repository cannot be used: {problem}"
    backups = regular(backups)
    if not backups:
        return False, "no backup yet; run flightdeck.airflow.backup"
    last = backups[-1]
    hours = (now - last.stop) / 3600
    line = f"{len(backups)} backups, the last {last.text}, {_size(last.size)}"
    if last.damaged:
        return False, f"{line}, which has damaged pages; see journalctl -u 'flightdeck-backup@*'"
    if hours > max_age_hours:
        return False, f"{line}, {hours:.0f} hours ago; expected at most {max_age_hours}"
    return True, line


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def target_seconds(text: str) -> float:
    """Seconds since 1970 of the time to restore. Raises ValueError for what is no time with an offset from UTC."""
    # PostgreSQL writes an offset without its minutes.
    time = datetime.datetime.fromisoformat(re.sub(r"([+-]\d\d)$", r"\1:00", text.strip()))
    if time.tzinfo is None:
        raise ValueError("no offset")
    return time.timestamp()
