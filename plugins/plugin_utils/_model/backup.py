# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of the metastore: a repository host, and the archive to which PostgreSQL sends its write-ahead log.

An external PostgreSQL has no archive: the repository host dumps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import BACKUP_CA, DUMP, SYSTEM_CA_FILE
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import metastore
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import (
    Archive,
    Backup,
    Bucket,
    HostAddress,
    secret_name,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.ha import scope
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings


def _address(host: Host) -> HostAddress:
    return HostAddress(name=host.name, address=host.address)


def _bucket(settings: Settings) -> Bucket | None:
    """The bucket of the repository; None for a directory."""
    if not settings.backup_s3_bucket:
        return None
    return Bucket(
        name=settings.backup_s3_bucket,
        endpoint=settings.backup_s3_endpoint,
        region=settings.backup_s3_region,
        uri_style=settings.backup_s3_uri_style,
        ca=secret_name("backup_s3_ca") if settings.backup_s3_ca else "",
        key_id=settings.backup_s3_access_key_id,
        secret=secret_name("backup_s3_secret_access_key") if settings.backup_s3_secret_access_key else "",
    )


def repository(servers: Iterable[Host], settings: Settings) -> Backup:
    """The share of the repository host, where ``servers`` are the metastore hosts."""
    schedules = {
        "full": settings.backup_full_schedule,
        "diff": settings.backup_diff_schedule,
        "incr": settings.backup_incr_schedule,
    }
    external = metastore.is_external(settings)
    ca_file = BACKUP_CA if settings.metastore_ca else SYSTEM_CA_FILE
    stanza = scope(settings.cluster_name)
    return Backup(
        method="dump" if external else "pgbackrest",
        command=(DUMP,) if external else ("pgbackrest", f"--stanza={stanza}"),
        database=metastore.owner(settings, ca_file) if external else None,
        stanza=stanza,
        port=settings.ports["airflow_backup_port"],
        directory=settings.backup_directory,
        bucket=_bucket(settings),
        servers=tuple(_address(server) for server in servers),
        metastore_port=settings.ports["airflow_metastore_port"],
        keep_full=settings.backup_keep_full,
        keep_diff=settings.backup_keep_diff,
        schedules={kind: schedule for kind, schedule in schedules.items() if schedule},
        max_age_hours=settings.backup_max_age_hours,
    )


def archive(repositories: Sequence[Host], settings: Settings) -> Archive | None:
    """The archive of a metastore host; None without ``repositories``, the hosts of airflow_backup."""
    if not repositories:
        return None
    return Archive(
        stanza=scope(settings.cluster_name),
        port=settings.ports["airflow_backup_port"],
        repository=_address(repositories[0]),
        timeout_seconds=settings.backup_archive_timeout_seconds,
        queue_mb=settings.backup_archive_queue_mb,
    )
