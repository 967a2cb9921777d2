"""What each Airflow component reads."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import (
    AUTHORITY,
    BROKER_AUTHORITY,
    FAILOVER,
    LEASE,
    METASTORE_AUTHORITY,
    NOTHING,
    SERVER,
    TURNS,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import COMPONENT


def secrets_of(component: str, major: int) -> tuple[str, ...]:
    """Names of the secret files that ``component`` reads in Airflow ``major``."""
    own = COMPONENT[component].secrets[major]
    broker = (BROKER_AUTHORITY,) if "broker_url" in own else ()
    return (*own, AUTHORITY, METASTORE_AUTHORITY, *broker, *(SERVER if COMPONENT[component].certificate else ()))


def units(components: Iterable[str], queues: Iterable[str], major: int) -> list[dict[str, str]]:
    """Label and unit, without suffix, of each Airflow service of a host; a worker has one for each of its ``queues``."""
    found = []
    for component in components:
        unit = COMPONENT[component].unit[major]
        if unit.endswith("@*"):
            found += [{"label": f"{component} {queue}", "unit": unit.replace("*", queue)} for queue in queues]
        else:
            found.append({"label": component, "unit": unit})
    return found


def turn_secrets(major: int) -> tuple[str, ...]:
    """Names of the secret files that a host has besides when its scheduler takes turns."""
    return (LEASE, FAILOVER, *(TURNS[name] for name in secrets_of("scheduler", major) if name in TURNS))


def secret_sources(component: str, major: int, files: Collection[str]) -> dict[str, str]:
    """Which of the host's secret ``files`` a process of ``component`` sees, by the name under which it does."""
    own = {name: name for name in secrets_of(component, major)}
    if component == "scheduler" and LEASE in files:
        own |= {LEASE: LEASE, FAILOVER: FAILOVER, **{name: TURNS[name] for name in own if name in TURNS}}
    return own


def secret_mounts(component: str, major: int, files: Iterable[str], directory: str) -> list[str]:
    """What systemd mounts over ``directory`` for a process of ``component``: its own secret ``files``, and for the others an empty one.

    Empty, because Airflow refuses to list its options when a ``*_cmd`` of any of them fails.
    """
    files = set(files)
    # A certificate is public, and every process on the host may be told to look at it.
    own = {**secret_sources(component, major, files), SERVER[0]: SERVER[0]}
    seen = {name: f"{directory}/{own[name]}" if name in own else NOTHING for name in sorted(files)}
    return [source if source == f"{directory}/{name}" else f"{source}:{directory}/{name}" for name, source in seen.items()]
