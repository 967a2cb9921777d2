"""Checks of the place of backups, before anything changes. What a run asks for is checked by ``_backups``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem


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
