# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases of Debian that hosts may run, and how they differ for the services. Data only.

A new release is an entry of ``PLATFORMS``, its Python in ``_catalog/versions.py`` with the locks of ``make lock``,
``platforms`` in the meta of the roles, and a scenario with its image (``molecule/shared/lab.py``, ``Makefile``). What
names the releases or their versions: README.md, the READMEs of metastore, rabbitmq and redis, hosts.md, metastores.md,
reliability.md and testing.md in docs, the specs, and the
problem of another system in ``_validation/codes.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True)
class Platform:
    """A release of Debian, with the versions of its packages that matter.

    ``python`` is its patch release. Patroni keeps its state by ``patroni_store``, etcd's second or third API;
    ``etcd_v2`` is whether etcd offers the second. With ``synchronous_mode`` a write is confirmed by the one synchronous
    follower, or by a quorum of them. ``rabbitmq_settings`` are keys of rabbitmq.conf that other releases do not know:
    RabbitMQ starts with none that is unknown. ``collectd_libraries`` are the packages that its plugins need.
    """

    release: str
    codename: str
    python: str
    postgresql: str
    etcd: str
    rabbitmq: str
    patroni_store: Literal["etcd", "etcd3"]
    etcd_v2: bool
    synchronous_mode: Literal[True, "quorum"]
    collectd_libraries: tuple[str, ...]
    rabbitmq_settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def python_minor(self) -> str:
        """Major and minor version of its Python."""
        return ".".join(self.python.split(".")[:2])


# Oldest first.
PLATFORMS: Mapping[str, Platform] = MappingProxyType(
    {
        platform.release: platform
        for platform in (
            Platform(
                release="12",
                codename="bookworm",
                python="3.11.2",
                postgresql="15",
                etcd="3.4",
                rabbitmq="3.10",
                # With etcd's present API, Patroni 3.0 takes the lead back without checking its present holder: a
                # leader that was frozen would overwrite all that was confirmed since (patroni/patroni#2693).
                patroni_store="etcd",
                etcd_v2=True,
                synchronous_mode=True,
                collectd_libraries=("libmicrohttpd12", "libprotobuf-c1"),
            ),
            Platform(
                release="13",
                codename="trixie",
                python="3.13.5",
                postgresql="17",
                etcd="3.5",
                rabbitmq="4.0",
                patroni_store="etcd3",
                etcd_v2=False,
                # Since Patroni 4.
                synchronous_mode="quorum",
                collectd_libraries=("libmicrohttpd12t64", "libprotobuf-c1"),
                rabbitmq_settings={"anonymous_login_user": "none"},
            ),
        )
    }
)
