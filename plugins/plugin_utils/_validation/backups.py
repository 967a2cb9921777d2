# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of backups, before anything changes: their place, and what a run asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.module_utils import _backups
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.versions import numbers
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import metastore
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.values import is_certificate

# Of a bucket, a region, or a host with a port.
_WORD = re.compile(r"[A-Za-z0-9._-]+(:[0-9]+)?")
_TYPES = ("full", "diff", "incr")
_LABEL = re.compile(r"\d{8}-\d{6}F(_\d{8}-\d{6}[DI]|-before-restore)?")
# Room for WAL and the server's own files beside the restored data. MiB.
_ROOM_MB = 512


def check(hosts: Sequence[Host]) -> list[Problem]:
    """What is wrong with the place of the repository."""
    return [
        Problem(
            Code.FD330,
            "group airflow_backup",
            f"host {host.name}, which is in airflow_metastore, too",
            "another host",
            "What takes this machine would take the data and their backups. The directory of the repository may be a "
            "mounted one.",
        )
        for host in hosts
        if {"backup", "metastore"} <= host.groups
    ] + _check_number([host.name for host in hosts if "backup" in host.groups])


def check_bucket(settings: Settings) -> list[Problem]:
    """What is wrong with the bucket of the repository."""
    name = "airflow_backup_s3_"
    given = {
        "endpoint": settings.backup_s3_endpoint,
        "region": settings.backup_s3_region,
        "ca": settings.backup_s3_ca,
        "access_key_id": settings.backup_s3_access_key_id,
        "secret_access_key": settings.backup_s3_secret_access_key,
    }
    if not settings.backup_s3_bucket:
        remedy = f"Set {name}bucket, or leave it out: then backups are on the disk of the host."
        return [
            Problem(Code.FD359, name + key, "a value, and no bucket", "nothing", remedy)
            for key, value in given.items()
            if value
        ]
    problems = []
    words = {"bucket": settings.backup_s3_bucket, **given}
    for key in ("bucket", "endpoint", "region"):
        if not _WORD.fullmatch(words[key]):
            found = repr(words[key]) if words[key] else "nothing"
            expected = "a host, with a port where that is not 443" if key == "endpoint" else f"the name of the {key}"
            problems.append(
                Problem(Code.FD359, name + key, found, expected, "Take it from the service, without https://.")
            )
    if bool(given["access_key_id"]) != bool(given["secret_access_key"]):
        remedy = "Give both, or neither: then the role of the host counts."
        problems.append(Problem(Code.FD359, f"{name}access_key_id", "one half of a key", "both halves or none", remedy))
    problems += [
        Problem(Code.FD359, name + key, "blanks in it", "a key of one word", "Copy it again.")
        for key in ("access_key_id", "secret_access_key")
        if re.search(r"\s", given[key])
    ]
    if given["ca"] and not is_certificate(given["ca"]):
        remedy = "Give the text of the CA's certificate, not a path: \"{{ lookup('ansible.builtin.file', ...) }}\"."
        problems.append(Problem(Code.FD359, f"{name}ca", "no certificate", "certificates as PEM text", remedy))
    return problems


def check_dumps(hosts: Sequence[Host], settings: Settings) -> list[Problem]:
    """What a user set for pgBackRest, where dumps of an external metastore are made.

    Every schedule holds: it makes a dump.
    """
    if not metastore.is_external(settings) or not any("backup" in host.groups for host in hosts):
        return []
    given = {
        "airflow_backup_s3_bucket": (settings.backup_s3_bucket, "Mount what is to have them on the directory."),
        "airflow_backup_keep_diff": (
            settings.backup_keep_diff,
            "A dump is full: set airflow_backup_keep_full.",
        ),
    }
    expected = "none, because the metastore is external"
    return [Problem(Code.FD369, name, "a value", expected, remedy) for name, (value, remedy) in given.items() if value]


def _check_number(names: Sequence[str]) -> list[Problem]:
    if len(names) < 2:
        return []
    remedy = "Copies of the repository are made of its directory: remove the others."
    return [Problem(Code.FD330, "group airflow_backup", f"hosts {', '.join(names)}", "one host", remedy)]


def check_releases(backup: Mapping[str, str], metastore: Mapping[str, str]) -> list[Problem]:
    """A problem when repository and metastore hosts (names with their release of Debian) have different releases."""
    both = {**metastore, **backup}
    if not backup or len(set(both.values())) < 2:
        return []
    shown = ", ".join(f"Debian {release} on {name}" for name, release in sorted(both.items()))
    remedy = "pgBackRest talks to its own version only, and a drill needs the same PostgreSQL: use one release."
    where = "groups airflow_backup and airflow_metastore"
    return [Problem(Code.FD331, where, shown, "one Debian release", remedy)]


def check_type(kind: str) -> list[Problem]:
    """A problem when ``kind`` is no type of a backup."""
    if kind in _TYPES:
        return []
    remedy = "Without it, what changed since the last full backup is backed up."
    return [Problem(Code.FD333, "airflow_backup_type", repr(kind), ", ".join(_TYPES), remedy)]


def check_target(time: str, label: str, now: float, *, dumps: bool = False) -> list[Problem]:
    """Problems of what a run of restore.yml asks for: a ``time``, the ``label`` of a backup, or neither.

    Of ``dumps`` there is no time between two of them.
    """
    problems = []
    if time and dumps:
        remedy = "Choose a dump by airflow_restore_set; flightdeck.airflow.status prints the last label."
        expected = "nothing: a dump has the state at its beginning, and nothing later"
        problems.append(Problem(Code.FD370, "airflow_restore_time", time, expected, remedy))
    elif time:
        remedy = "Without one, all is restored that was archived."
        try:
            if _backups.target_seconds(time) > now:
                problems.append(Problem(Code.FD333, "airflow_restore_time", time, "a time in the past", remedy))
        except ValueError:
            expected = "a time with its offset from UTC, such as 2026-11-29 11:00:00+00:00"
            problems.append(Problem(Code.FD333, "airflow_restore_time", repr(time), expected, remedy))
    if label and not _LABEL.fullmatch(label):
        expected, remedy = (
            "a label such as 20261129-021500F",
            "flightdeck.airflow.backup and flightdeck.airflow.status print labels.",
        )
        problems.append(Problem(Code.FD333, "airflow_restore_set", repr(label), expected, remedy))
    return problems


def check_answer(
    text: str, label: str, time: str, own: Mapping[str, Any], airflow: str, history: _backups.History | None = None
) -> list[Problem]:
    """As ``check_backup``, of the backups in ``text``, an answer of ``pgbackrest info``. Raises ValueError."""
    backups, wrong = _backups.parse(text)
    if wrong and not backups:
        return [Problem(Code.FD334, "the repository", wrong, "backups", "Run flightdeck.airflow.backup.")]
    return check_backup(backups, label, time, own, airflow, history)


def check_backup(
    backups: Sequence[_backups.Backup],
    label: str,
    time: str,
    own: Mapping[str, Any],
    airflow: str,
    history: _backups.History | None = None,
) -> list[Problem]:
    """Problems of the backup that ``label`` and ``time`` choose among ``backups``.

    ``own`` is the manifest that a backup of this cluster would have now, ``airflow`` its version, ``history`` the
    timelines of its server.
    """
    until = _backups.target_seconds(time) if time else None
    found = _backups.chosen(list(backups), label, until, history)
    if found is None:
        shown = ", ".join(backup.text for backup in backups[-5:]) or "none"
        wanted = f"{label or 'a backup'}{f' that ended before {_backups.moment(until)}' if until is not None else ''}"
        remedy = (
            "Choose a later time, or another backup. Times before the oldest one cannot be restored, and what was "
            "backed up before a restore may not lead to what came after it."
        )
        return [Problem(Code.FD335, "the repository", shown, wanted, remedy)]
    return _check_manifest(found, own, airflow)


def _check_manifest(backup: _backups.Backup, own: Mapping[str, Any], airflow: str) -> list[Problem]:
    where, then = f"backup {backup.label}", backup.manifest
    if not then:
        found, expected = "no manifest", "one that says of which cluster it is"
        return [Problem(Code.FD337, where, found, expected, "It was not made by the collection: choose another.")]
    problems = []
    if then.get("cluster") != own["cluster"]:
        found, expected = f"a backup of cluster {then.get('cluster')}", f"one of {own['cluster']}"
        problems.append(Problem(Code.FD337, where, found, expected, "Use that cluster's inventory."))
    elif not set(then.get("fernet_keys", [])) & set(own["fernet_keys"]):
        remedy = (
            "Put the secrets file of then back; or set airflow_fernet_key to both keys with a comma between them, "
            "today's first."
        )
        found = "connections that another Fernet key encrypted"
        problems.append(Problem(Code.FD337, where, found, "the key of this cluster", remedy))
    if numbers(str(then.get("airflow", "0"))) > numbers(airflow):
        found, expected = f"the schema of Airflow {then.get('airflow')}", f"that of {airflow} or older"
        problems.append(Problem(Code.FD337, where, found, expected, f"Set airflow_version: {then.get('airflow')}."))
    if then.get("postgresql") != own["postgresql"]:
        found, expected = f"data of PostgreSQL {then.get('postgresql')}", f"those of {own['postgresql']}"
        problems.append(Problem(Code.FD337, where, found, expected, "Restore them on hosts with the Debian of then."))
    return problems


def check_room(free_mb: Mapping[str, int], size: int) -> list[Problem]:
    """A problem for each host whose file system of PostgreSQL, with ``free_mb``, has no room for ``size`` bytes."""
    need = size // 1024**2 + _ROOM_MB
    remedy = "The present data stay beside the restored ones. Make room, or remove what former restores set aside."
    return [
        Problem(Code.FD338, f"/var/lib/postgresql of host {name}", f"{free} MiB free", f"at least {need} MiB", remedy)
        for name, free in free_mb.items()
        if free < need
    ]
