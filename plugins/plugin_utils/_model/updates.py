# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates of Debian's packages on the hosts of a cluster: what each host gets, and in which order."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import BACKING_SERVICES, BY_NAME
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.upgrade_paths import UPGRADES
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Cluster, Node
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.plain import Plain

# What stands on others comes after them. A host is updated with the first tier that it is of.
TIERS = (*(service.name for service in BACKING_SERVICES if not service.host_group), "airflow")
# Why update_packages.yml drains a host: by these words the next run knows that it may undrain it.
DRAIN_REASON = "update_packages.yml"
# What an interrupted run may have left, besides packages.
UNPACKED = "dpkg"
BROKER_DRAINED = "its RabbitMQ node takes no clients"
HOST_DRAINED = "it was drained for this"


@dataclass(frozen=True, kw_only=True)
class Upgrade(Plain):
    """A package with the version that the host has, and the one that apt would install."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class HostUpdates(Plain):
    """What the module package_updates found on a host; its documentation says what each is.

    ``unfinished`` is what an interrupted run left to do, beside packages.
    """

    upgrades: tuple[Upgrade, ...] = ()
    installs: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    installed: Mapping[str, str] = field(default_factory=dict)
    unfinished: tuple[str, ...] = ()
    outdated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reboot: str = ""

    @property
    def something(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.upgrades or self.unfinished or self.outdated or self.reboot)

    def versions(self, package: str) -> tuple[str, str]:
        """The version of ``package`` before and after; empty when the host does not have it."""
        for upgrade in self.upgrades:
            if upgrade.name == package:
                return upgrade.before, upgrade.after
        there = self.installed.get(package, "")
        return there, there


def resumed(host: HostUpdates, node: Node, drained: Mapping[str, str], drained_brokers: Collection[str]) -> HostUpdates:
    """What ``host``, which is ``node`` in the model, has to do, with what an interrupted run left beside packages.

    ``drained`` is the record of a drained host, ``drained_brokers`` are nodes of RabbitMQ that take no clients.
    """
    left = [*host.unfinished]
    if node.rabbitmq and node.rabbitmq.nodename in drained_brokers:
        left.append(BROKER_DRAINED)
    if drained.get("reason") == DRAIN_REASON:
        left.append(HOST_DRAINED)
    return replace(host, unfinished=tuple(left))


def half_way(found: HostUpdates) -> bool:
    """Whether services of a host may be down already, by what was ``found`` on it, so that nothing has to be handed
    over first."""
    return not {UNPACKED, BROKER_DRAINED}.isdisjoint(found.unfinished)


def tier(node: Node) -> str:
    """The tier with which the host ``node`` is updated."""
    return next((name for name in TIERS if name in node.services), TIERS[-1])


def order(cluster: Cluster, found: Mapping[str, HostUpdates], leader: str, only: Collection[str] = ()) -> list[str]:
    """The hosts on which something to do was ``found``, one after the other: tier by tier, in a tier the ``leader`` of
    the metastore last.

    What an interrupted run left half done comes first of all. With ``only``, none but these.
    """
    names = [name for name in cluster.nodes if name in found and found[name].something and (not only or name in only)]
    return sorted(
        names,
        key=lambda name: (not found[name].unfinished, TIERS.index(tier(cluster.nodes[name])), name == leader),
    )


def patterns(services: Iterable[str]) -> list[str]:
    """Patterns of the names of Debian's packages of backing ``services``."""
    return sorted({pattern for service in services for pattern in service_patterns(service)})


def service_patterns(service: str) -> tuple[str, ...]:
    """Patterns of the packages that bring and carry ``service``."""
    entry = BY_NAME[service]
    return (*entry.packages, *entry.updated_with)


def units(services: Iterable[str]) -> list[str]:
    """Patterns of the units of backing ``services`` that restart when their files were replaced.

    Not Erlang's port mapper, with which running nodes are registered, and not a backup that runs.
    """
    without = ("epmd", "flightdeck-backup@")
    return sorted({unit for name in services for unit in BY_NAME[name].units if not unit.startswith(without)})


def affected(node: Node, found: HostUpdates, everything: bool) -> list[str]:
    """The services of a host that the updates ``found`` for it restart; all of them when it gets ``everything``, or
    boots."""
    if everything and found.something:
        return backing(node.services)
    return [
        service
        for service in backing(node.services)
        # A broker that was drained waits for its restart.
        if (service == "rabbitmq" and BROKER_DRAINED in found.unfinished)
        or any(_matches(upgrade.name, service_patterns(service)) for upgrade in found.upgrades)
        or any(_matches(unit, BY_NAME[service].units) for unit in found.outdated)
    ]


def backing(services: Collection[str]) -> list[str]:
    """Those of ``services`` that are no components of Airflow."""
    return [service.name for service in BACKING_SERVICES if service.name in services]


def _matches(name: str, wanted: Collection[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in wanted)


def lines(found: Mapping[str, HostUpdates], order: Sequence[str]) -> list[str]:
    """What each host gets by what was ``found``, in their ``order``, for people."""
    rows = []
    for name in order:
        host = found[name]
        rows += [(name, "dpkg" if why == UNPACKED else "resumes", _unfinished(why)) for why in host.unfinished]
        rows += [(name, each.name, f"{each.before} to {each.after}") for each in host.upgrades]
        rows += [(name, package, "new") for package in host.installs]
        rows += [(name, package, "kept back by apt") for package in host.kept]
        rows += [
            (name, "restart", f"{unit}, which runs an old {', '.join(programs)}")
            for unit, programs in host.outdated.items()
        ]
        rows += [(name, "reboot", host.reboot)] if host.reboot else []
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    return [
        *(f"{host:{widths[0]}}  {what:{widths[1]}}  {how}" for host, what, how in rows),
        f"{len(order)} of {len(found)} hosts have something to update",
    ]


def _unfinished(why: str) -> str:
    return "was interrupted: configures what is unpacked" if why == UNPACKED else why


def series(version: str) -> str:
    """Major and minor of a Debian ``version``, such as 3.10 of 3.10.8-1.1+deb12u1."""
    return ".".join(str(part) for part in numbers(version)[:2])


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of upstream's part of a Debian ``version``."""
    upstream = version.rpartition(":")[2]
    found = re.match(r"\d+(\.\d+)*", upstream)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def next_series(service: str, before: str, after: str) -> tuple[str, ...]:
    """The series of ``service`` on the shortest way from ``before`` to ``after``, without the first; none without a
    way."""
    targets = {path.series: path.targets for path in UPGRADES[service].paths}
    ways: list[tuple[str, ...]] = [(before,)]
    seen = {before}
    while ways:
        way = ways.pop(0)
        if way[-1] == after:
            return way[1:]
        for target in targets.get(way[-1], ()):
            if target not in seen:
                seen.add(target)
                ways.append((*way, target))
    return ()
