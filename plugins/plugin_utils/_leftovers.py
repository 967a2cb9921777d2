"""What is left on a host of components, modes and servers that it had before, as far as the roles made it."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.module_utils._host import AGENT
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._components import COMPONENTS, secrets_of, turn_secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._secrets import SECRETS_DIR

# Names of the units by component, on every version of Airflow; what a component's role calls its siblings.
UNITS: dict[str, tuple[str, ...]] = {
    "webserver": ("airflow-api-server.service", "airflow-webserver.service"),
    "scheduler": ("airflow-scheduler.service",),
    "dag_processor": ("airflow-dag-processor.service",),
    "triggerer": ("airflow-triggerer.service",),
    "worker": ("airflow-worker@*.service",),
}
_MAJORS = (2, 3)


def former_units(present: Iterable[str], components: Iterable[str]) -> list[str]:
    """Those of the units ``present`` on a host whose component is not among its ``components`` any more."""
    patterns = [pattern for name in UNITS.keys() - set(components) for pattern in UNITS[name]]
    return sorted(name for name in present if any(fnmatch.fnmatch(name, pattern) for pattern in patterns))


def former_files(present: Iterable[str], node: Mapping[str, Any]) -> list[str]:
    """Those of the paths ``present`` that a ``node`` of the model does not need. What the roles never make is nobody's leftover."""
    ever = {name for major in _MAJORS for name in (*turn_secrets(major), *(each for one in COMPONENTS for each in secrets_of(one, major)))}
    needed = {secret["file"] for secret in node.get("airflow", {}).get("secrets", ())}
    former = {f"{SECRETS_DIR}/{name}" for name in ever - needed} | (set() if "turns" in node else {AGENT})
    return sorted(former.intersection(present))
