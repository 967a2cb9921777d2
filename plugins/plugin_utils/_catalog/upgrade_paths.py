# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From which version to which a service may go while its members are updated one after the other. Data only.

Tables of upstream: https://www.rabbitmq.com/docs/upgrade and https://etcd.io/docs/latest/upgrades/. A release of one
series, such as 3.5.16 and 3.5.27, can always follow another. There is no way back: neither supports a downgrade.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Path:
    """From ``series`` to each of ``targets``; ``least`` is the first release of the series that may, empty for any."""

    series: str
    targets: tuple[str, ...]
    least: str = ""


@dataclass(frozen=True)
class Upgrades:
    """Of a service, the ``package`` whose version counts, and the paths between its series."""

    service: str
    package: str
    paths: tuple[Path, ...]
    page: str


UPGRADES: Mapping[str, Upgrades] = MappingProxyType(
    {
        upgrades.service: upgrades
        for upgrades in (
            Upgrades(
                service="etcd",
                package="etcd-server",
                paths=(
                    Path("3.3", ("3.4",)),
                    Path("3.4", ("3.5",)),
                    Path("3.5", ("3.6",), least="3.5.32"),
                    Path("3.6", ("3.7",)),
                ),
                page="https://etcd.io/docs/latest/upgrades/",
            ),
            Upgrades(
                service="rabbitmq",
                package="rabbitmq-server",
                paths=(
                    Path("3.8", ("3.9",)),
                    Path("3.9", ("3.10",)),
                    Path("3.10", ("3.11",)),
                    Path("3.11", ("3.12",), least="3.11.18"),
                    Path("3.12", ("3.13",)),
                    Path("3.13", ("4.0", "4.1", "4.2")),
                    Path("4.0", ("4.1", "4.2")),
                    Path("4.1", ("4.2",)),
                ),
                page="https://www.rabbitmq.com/docs/upgrade",
            ),
        )
    }
)
