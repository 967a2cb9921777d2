# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text and numbers as PostgreSQL's files want them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render.sizes import round_down


def _setting(value: Any) -> str:
    """``value`` as PostgreSQL is to read it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value)
    return str(value)


def postgresql_value(value: Any) -> str:
    """``value`` as it stands in postgresql.conf: on/off for booleans, the rest quoted."""
    text = _setting(value)
    return text if isinstance(value, bool) else "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def postgresql_arguments(settings: Mapping[str, Any]) -> list[str]:
    """``settings`` as arguments of the server's own command."""
    return [part for name, value in sorted(settings.items()) for part in ("-c", f"{name}={_setting(value)}")]


def postgresql_name(value: str) -> str:
    """``value`` as a name in pg_hba.conf: quoted, so that no keyword is meant."""
    return '"' + value.replace('"', '""') + '"'


def postgresql_peer(value: str) -> str:
    """A client address in pg_hba.conf: networks and host names as they are, a single address with its full prefix
    length."""
    if "/" in value or not re.fullmatch(r"[0-9.]+|[0-9a-fA-F:]*:[0-9a-fA-F:.]*", value):
        return value
    return f"{value}/{128 if ':' in value else 32}"


def postgresql_memory(total_mb: int, max_connections: int) -> dict[str, int]:
    """PostgreSQL's memory settings in MiB for a host of ``total_mb`` MiB.

    A quarter for the shared buffers, up to 8 GiB; a quarter for sorts, shared by the connections; the rest is the
    kernel's cache. Raises ValueError when a number is not positive.
    """
    if total_mb < 1 or max_connections < 1:
        raise ValueError(f"memory {total_mb} MiB and {max_connections} connections must both be positive")
    return {
        "shared_buffers": max(32, min(8192, round_down(total_mb // 4))),
        "effective_cache_size": max(64, round_down(total_mb // 2)),
        "work_mem": max(4, min(64, total_mb // 4 // max_connections)),
        "maintenance_work_mem": max(32, min(1024, round_down(total_mb // 16))),
    }
