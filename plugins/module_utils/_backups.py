"""What pgBackRest says about the backups of a cluster: for status, and to choose and check what to restore.

Without Ansible.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# The annotation of each backup with what the cluster was.
MANIFEST = "flightdeck"
TYPES = ("full", "diff", "incr")
_LABEL = re.compile(r"\d{8}-\d{6}F(_\d{8}-\d{6}[DI])?")
# Room for WAL and the server's own files beside the restored data. MiB.
_ROOM_MB = 512
# The stanza exists, and its backups can be read; there are none yet.
_KNOWN = (0, 2)


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
    fitting = [backup for backup in backups if until is None or backup.stop <= until]
    return fitting[-1] if fitting else None


def age_row(backups: list[Backup], problem: str, max_age_hours: int, now: float) -> tuple[bool, str]:
    """Whether the last of the ``backups`` is young enough, and a line about it."""
    if problem:
        return False, f"the repository cannot be used: {problem}"
    if not backups:
        return False, "no backup yet; run backup.yml"
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


def _problem(code: str, where: str, found: str, expected: str, remedy: str) -> str:
    return f"{code} {where}: found {found}; expected {expected}. {remedy}"


def check_type(kind: str) -> list[str]:
    """A problem when ``kind`` is no type of a backup."""
    if kind in TYPES:
        return []
    remedy = "Without it, what changed since the last full backup is backed up."
    return [_problem("FD333", "airflow_backup_type", repr(kind), ", ".join(TYPES), remedy)]


def target_seconds(text: str) -> float:
    """Seconds since 1970 of the time to restore. Raises ValueError for what is no time with an offset from UTC."""
    # PostgreSQL writes an offset without its minutes.
    time = datetime.datetime.fromisoformat(re.sub(r"([+-]\d\d)$", r"\1:00", text.strip()))
    if time.tzinfo is None:
        raise ValueError("no offset")
    return time.timestamp()


def check_target(time: str, label: str, now: float) -> list[str]:
    """Problems of what a run of restore.yml asks for: a ``time``, the ``label`` of a backup, or neither."""
    problems = []
    if time:
        remedy = "Without one, all is restored that was archived."
        try:
            if target_seconds(time) > now:
                problems.append(_problem("FD333", "airflow_restore_time", time, "a time in the past", remedy))
        except ValueError:
            expected = "a time with its offset from UTC, such as 2026-11-29 11:00:00+00:00"
            problems.append(_problem("FD333", "airflow_restore_time", repr(time), expected, remedy))
    if label and not _LABEL.fullmatch(label):
        expected, remedy = "a label such as 20261129-021500F", "backup.yml and status.yml print labels."
        problems.append(_problem("FD333", "airflow_restore_set", repr(label), expected, remedy))
    return problems


def check_backup(backups: Sequence[Backup], label: str, time: str, own: Mapping[str, Any], airflow: str) -> list[str]:
    """Problems of the backup that ``label`` and ``time`` choose among ``backups``.

    ``own`` is the manifest that a backup of this cluster would have now, ``airflow`` its version.
    """
    until = target_seconds(time) if time else None
    found = chosen(list(backups), label, until)
    if found is None or (until is not None and found.stop > until):
        shown = ", ".join(backup.text for backup in backups[-5:]) or "none"
        wanted = f"{label or 'a backup'}{f' that ended before {moment(until)}' if until is not None else ''}"
        remedy = "Choose a later time, or another backup. Times before the oldest one cannot be restored."
        return [_problem("FD335", "the repository", shown, wanted, remedy)]
    return _check_manifest(found, own, airflow)


def _check_manifest(backup: Backup, own: Mapping[str, Any], airflow: str) -> list[str]:
    where, then = f"backup {backup.label}", backup.manifest
    if not then:
        found, expected = "no manifest", "one that says of which cluster it is"
        return [_problem("FD337", where, found, expected, "It was not made by the collection: choose another.")]
    problems = []
    if then.get("cluster") != own["cluster"]:
        found, expected = f"a backup of cluster {then.get('cluster')}", f"one of {own['cluster']}"
        problems.append(_problem("FD337", where, found, expected, "Use that cluster's inventory."))
    elif not set(then.get("fernet_keys", [])) & set(own["fernet_keys"]):
        remedy = (
            "Put the secrets file of then back; or set airflow_fernet_key to both keys with a comma between them, "
            "today's first."
        )
        found = "connections that another Fernet key encrypted"
        problems.append(_problem("FD337", where, found, "the key of this cluster", remedy))
    if _numbers(str(then.get("airflow", "0"))) > _numbers(airflow):
        found, expected = f"the schema of Airflow {then.get('airflow')}", f"that of {airflow} or older"
        problems.append(_problem("FD337", where, found, expected, f"Set airflow_version: {then.get('airflow')}."))
    if then.get("postgresql") != own["postgresql"]:
        found, expected = f"data of PostgreSQL {then.get('postgresql')}", f"those of {own['postgresql']}"
        problems.append(_problem("FD337", where, found, expected, "Restore them on hosts with the Debian of then."))
    return problems


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def check_room(free_mb: Mapping[str, int], size: int) -> list[str]:
    """A problem for each host whose file system of PostgreSQL, with ``free_mb``, has no room for ``size`` bytes."""
    need = size // 1024**2 + _ROOM_MB
    remedy = "The present data stay beside the restored ones. Make room, or remove what former restores set aside."
    return [
        _problem("FD338", f"/var/lib/postgresql of host {name}", f"{free} MiB free", f"at least {need} MiB", remedy)
        for name, free in free_mb.items()
        if free < need
    ]


def check_answer(text: str, label: str, time: str, own: Mapping[str, Any], airflow: str) -> list[str]:
    """As ``check_backup``, of the backups in ``text``, an answer of ``pgbackrest info``. Raises ValueError."""
    backups, wrong = parse(text)
    if wrong and not backups:
        return [_problem("FD334", "the repository", wrong, "backups", "Run backup.yml.")]
    return check_backup(backups, label, time, own, airflow)
