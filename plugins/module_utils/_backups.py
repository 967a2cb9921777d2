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


@dataclass(frozen=True)
class Backup:
    """One backup.

    ``start`` and ``stop`` are seconds since 1970, sizes are bytes; ``manifest`` says what the cluster was.
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

    @property
    def text(self) -> str:
        """The backup in words."""
        return f"{self.label} ({self.kind}, ended {moment(self.stop)})"


def moment(seconds: float) -> str:
    """A time in UTC as PostgreSQL and the arguments of restore.yml write it."""
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC).strftime("%Y-%m-%d %H:%M:%S+00")


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
    )


def chosen(backups: list[Backup], label: str = "", until: float | None = None) -> Backup | None:
    """The backup to restore: that of the ``label``, or the last one that ended before ``until``; None for none."""
    if label:
        return next((backup for backup in backups if backup.label == label), None)
    fitting = [backup for backup in regular(backups) if until is None or backup.stop <= until]
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
