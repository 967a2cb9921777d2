"""Checks that need facts of a host, still before anything changes on any."""

from __future__ import annotations

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._problem import Problem

DEBIAN_RELEASES = ("12", "13")
# Python of the host by Airflow version: what the collection has a lock for.
PYTHONS = {"3.3.2": ("3.11", "3.13"), "2.11.2": ("3.11",)}


def check_host(name: str, distribution: str, release: str, python: str, airflow_version: str) -> list[Problem]:
    """Problems of one host. ``airflow_version`` is empty when no Airflow component runs there."""
    where = f"host {name}"
    if distribution != "Debian" or release not in DEBIAN_RELEASES:
        return [
            Problem(
                "FD201",
                where,
                f"{distribution} {release}",
                f"Debian {' or '.join(DEBIAN_RELEASES)}",
                "Use a machine with a release that the collection is tested on.",
            )
        ]
    if airflow_version and python not in PYTHONS[airflow_version]:
        return [
            Problem(
                "FD202",
                where,
                f"Python {python} on Debian {release}",
                f"Python {' or '.join(PYTHONS[airflow_version])} for Airflow {airflow_version}",
                "Airflow 2.11 supports no Python newer than 3.12, so it needs Debian 12; Airflow 3.3 runs on Debian 12 and 13.",
            )
        ]
    return []
