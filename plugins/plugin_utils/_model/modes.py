"""Modes of components: which a cluster has, and what their hosts get."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import MODES, Mode

_ROOT = Path(__file__).parents[3]


def active_modes(settings: Mapping[str, Any]) -> list[Mode]:
    """The modes that the user's ``settings`` turn on."""
    return [mode for mode in MODES if settings[mode.setting] == mode.value]


def share(mode: Mode) -> dict[str, str]:
    """What roles and playbooks have to know of an active ``mode``."""
    return {"name": mode.name, "setting": mode.setting, "value": mode.value, "unit": mode.unit}


def wrapper(mode: Mode) -> dict[str, Any]:
    """How the unit of a component in ``mode`` runs its wrapper. A process of a program with another digest is outdated."""
    return {
        **share(mode),
        "program": mode.wrapper.program,
        "command": mode.wrapper.command,
        "digest": _digest(mode.wrapper.source),
        "watchdog_seconds": mode.wrapper.watchdog_seconds,
    }


@functools.cache
def _digest(source: str) -> str:
    return hashlib.sha256((_ROOT / source).read_bytes()).hexdigest()[:12]
