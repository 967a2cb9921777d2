# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""airflow.cfg from its options."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import (
    POOL_PROCESS_MB,
    RESERVED_MB,
    TASK_MB,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render.sizes import round_down


def render_value(value: Any) -> str:
    """One option as it stands in airflow.cfg: ``%`` doubled against interpolation, continuation lines indented,
    data as JSON."""
    if isinstance(value, bool):
        text = str(value)
    elif isinstance(value, (dict, list)):
        text = json.dumps(value, sort_keys=True)
    else:
        text = str(value)
    return text.replace("%", "%%").replace("\n", "\n    ")


def with_processors(
    config: Mapping[str, Mapping[str, Any]], option: str, vcpus: int, memory_mb: int
) -> dict[str, dict[str, Any]]:
    """Options by section with one that is a number of processes which follows from the host.

    It is half of ``vcpus`` and no more than fit into half of ``memory_mb`` MiB, because other services share the host,
    and 2 at least, as Airflow's own number of DAG files that are parsed at once. An empty ``option`` is none.
    """
    found = {section: dict(options) for section, options in config.items()}
    section, _dot, name = option.rpartition(".")
    if name:
        by_memory = (round_down(memory_mb) - RESERVED_MB) // (POOL_PROCESS_MB + TASK_MB)
        found.setdefault(section, {})[name] = max(2, min(vcpus, by_memory) // 2)
    return found


def render_config(config: Mapping[str, Mapping[str, Any]]) -> str:
    """The text of airflow.cfg, sections and options sorted, so that equal settings give equal files."""
    blocks = []
    for section in sorted(config):
        lines = [f"{option} = {render_value(config[section][option])}".rstrip() for option in sorted(config[section])]
        blocks.append("\n".join([f"[{section}]", *lines]))
    return "\n\n".join(blocks) + "\n"
