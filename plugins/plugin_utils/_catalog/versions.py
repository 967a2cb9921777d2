# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The versions of Airflow that a cluster may have. Data only."""

from __future__ import annotations

import re
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

    @property
    def minor(self) -> str:
        """The version without its patch release, such as 3.3."""
        return self.full.rpartition(".")[0]


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


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a ``version``, to compare it with others; of the name of a release, those of its version."""
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("-")[0]))


def has_nearest(version: str) -> bool:
    """Whether ``version`` is a release of a major version of which there is a tested one."""
    return bool(re.fullmatch(r"\d+\.\d+\.\d+", version)) and any(
        each.major == int(version.partition(".")[0]) for each in VERSIONS.values()
    )


def nearest(version: str) -> AirflowVersion:
    """The tested version that says most about ``version``: of its minor, else the next older one, else the oldest.

    Raises KeyError when ``version`` has none.
    """
    if not has_nearest(version):
        raise KeyError(version)
    major, minor, _patch = map(int, version.split("."))
    same = [each for each in VERSIONS.values() if each.major == major]
    older = [each for each in same if int(each.full.split(".")[1]) <= minor]
    return (older or same[:1])[-1]
