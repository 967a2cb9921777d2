"""What systemd knows about a unit, and whether files are newer than what the unit has read."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "NeedDaemonReload",
    "ActiveEnterTimestampMonotonic",
    "StateChangeTimestampMonotonic",
)


@dataclass(frozen=True)
class Unit:
    """State of one unit; times are seconds since the epoch, 0.0 when the unit has never been in that state."""

    found: bool
    active: bool
    failed: bool
    enabled: bool
    stale_definition: bool
    started_at: float
    state_changed_at: float


def show_command(name: str) -> list[str]:
    """The command whose output ``parse`` reads."""
    return ["systemctl", "show", name, "--property", ",".join(PROPERTIES)]


def parse(text: str, *, wall: float | None = None, monotonic: float | None = None) -> Unit:
    """Unit from ``systemctl show`` output.

    The monotonic stamps have a resolution of microseconds (the printed dates only of seconds); ``wall`` and ``monotonic`` are the
    two clocks now, in seconds.
    """
    wall = time.time() if wall is None else wall
    monotonic = time.clock_gettime(time.CLOCK_MONOTONIC) if monotonic is None else monotonic
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def moment(name: str) -> float:
        stamp = int(values.get(name) or 0) / 1_000_000
        return wall - (monotonic - stamp) if stamp else 0.0

    return Unit(
        found=values.get("LoadState") not in (None, "", "not-found"),
        active=values.get("ActiveState") in ("active", "reloading"),
        failed=values.get("ActiveState") == "failed",
        enabled=values.get("UnitFileState") in ("enabled", "enabled-runtime", "static", "alias", "generated", "indirect"),
        stale_definition=values.get("NeedDaemonReload") == "yes",
        started_at=moment("ActiveEnterTimestampMonotonic"),
        state_changed_at=moment("StateChangeTimestampMonotonic"),
    )


def modified(paths: Iterable[str]) -> dict[str, float]:
    """Modification time of each path that exists, in seconds since the epoch."""
    return {path: os.stat(path).st_mtime for path in paths if os.path.exists(path)}


def newer(times: Mapping[str, float], moment: float) -> list[str]:
    """The paths written after ``moment``, sorted."""
    return sorted(path for path, written in times.items() if written > moment)
