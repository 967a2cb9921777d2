"""The versions of Airflow that a cluster may have. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class AirflowVersion:
    """One version that the collection has locks for and tests.

    ``pythons`` are those of the hosts that there is a lock for. ``schema`` is what it leaves in the table
    alembic_version. ``least_server`` is the oldest server of each engine that it supports.
    """

    full: str
    pythons: tuple[str, ...]
    schema: str
    least_server: Mapping[str, str]

    @property
    def major(self) -> int:
        """2 or 3."""
        return int(self.full.partition(".")[0])


# Oldest first.
VERSIONS: Mapping[str, AirflowVersion] = MappingProxyType(
    {
        version.full: version
        for version in (
            AirflowVersion("2.11.2", ("3.11",), "5f2621c13b39", {"postgresql": "12", "mysql": "8.0"}),
            AirflowVersion("3.2.2", ("3.11", "3.13"), "1d6611b6ab7c", {"postgresql": "14", "mysql": "8.0"}),
            AirflowVersion("3.3.2", ("3.11", "3.13"), "d2f4e1b3c5a7", {"postgresql": "14", "mysql": "8.0"}),
        )
    }
)
TESTED_VERSIONS = tuple(VERSIONS)
