# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each Airflow component reads."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import MODES, Mode
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import (
    BROKER_CA,
    CA,
    LOGIN_CA,
    METASTORE_CA,
    NOTHING,
    SERVER,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import (
    COMPONENT,
    HEARTBEATS,
    LOGIN_SECRETS,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Unit
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host


def secrets_of(component: str, major: int) -> tuple[str, ...]:
    """Names of the secret files that ``component`` reads in Airflow ``major``. Raises KeyError for no component."""
    own = COMPONENT[component].secrets[major]
    broker = (BROKER_CA,) if "broker_url" in own or COMPONENT[component].broker_account else ()
    login = (LOGIN_CA, *LOGIN_SECRETS) if component == "webserver" else ()
    return (*own, CA, METASTORE_CA, *login, *broker, *(SERVER if COMPONENT[component].certificate else ()))


def unit_of(component: str, major: int, queue: str = "") -> str:
    """Name without suffix of the unit of ``component`` in Airflow ``major``; a worker has one for each ``queue``.

    Raises KeyError for no component.
    """
    return COMPONENT[component].unit[major].replace("*", queue)


def unit_patterns(component: str) -> list[str]:
    """Shell patterns of the units of ``component`` in all versions of Airflow. Raises KeyError for no component."""
    return sorted({f"{unit}.service" for unit in COMPONENT[component].unit.values()})


def units(component: str, host: Host, major: int, probe: str | None) -> tuple[Unit, ...]:
    """The units of ``component`` on ``host`` in Airflow ``major``; a worker has one for each of its queues.

    ``probe`` is the URL that shows whether it works. Raises KeyError for no component.
    """
    if COMPONENT[component].unit[major].endswith("@*"):
        queues = (queue.name for queue in host.queues)
        return tuple(
            Unit(label=f"{component} {queue}", unit=unit_of(component, major, queue), probe=probe) for queue in queues
        )
    beats = HEARTBEATS.get(component)
    heartbeat = f"{beats.section}.{beats.interval}" if beats else None
    return (Unit(label=component, unit=unit_of(component, major), probe=probe, heartbeat=heartbeat),)


def replaced_files(mode: Mode, major: int) -> dict[str, str]:
    """The common secret files that ``mode`` replaces for its component in Airflow ``major``, with those in their
    place."""
    return {
        name: mode.replaced_files[name] for name in secrets_of(mode.component, major) if name in mode.replaced_files
    }


def mode_files(mode: Mode, major: int) -> tuple[str, ...]:
    """Names of the secret files that a host has besides when its component runs in ``mode``, in Airflow ``major``."""
    return (*mode.secret_files, *replaced_files(mode, major).values())


def secret_sources(component: str, major: int, files: Collection[str], users: Iterable[str] = ()) -> dict[str, str]:
    """Which of the host's secret ``files`` a process of ``component`` sees, by the name under which it does, in
    Airflow ``major``. The ``users`` ones are those of the user's that it reads."""
    own = {name: name for name in (*secrets_of(component, major), *users)}
    for mode in MODES:
        if mode.component == component and set(mode.secret_files) <= set(files):
            own |= {**{name: name for name in mode.secret_files}, **replaced_files(mode, major)}
    return own


def secret_mounts(
    component: str, major: int, files: Iterable[str], directory: str, users: Iterable[str] = ()
) -> list[str]:
    """What systemd mounts over ``directory`` for a process of ``component`` in Airflow ``major``.

    Its own secret ``files``, ``users`` of which are the user's, and an empty one for the others, because Airflow
    refuses to list its options when a ``*_cmd`` of any of them fails.
    """
    files = set(files)
    # A certificate is public, and every process on the host may be configured to read it.
    own = {**secret_sources(component, major, files, users), SERVER[0]: SERVER[0]}
    seen = {name: f"{directory}/{own[name]}" if name in own else NOTHING for name in sorted(files)}
    return [
        source if source == f"{directory}/{name}" else f"{source}:{directory}/{name}" for name, source in seen.items()
    ]
