"""Modes of components: which a cluster has, and what their hosts get."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import MODES, Mode
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import ActiveMode, Wrapper
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings

_ROOT = Path(__file__).parents[3]


def active_modes(settings: Settings) -> list[Mode]:
    """The modes that the user's ``settings`` turn on."""
    return [mode for mode in MODES if getattr(settings, mode.setting.removeprefix("airflow_")) == mode.value]


def share(mode: Mode) -> ActiveMode:
    """What roles and playbooks have to know of an active ``mode``."""
    return ActiveMode(name=mode.name, setting=mode.setting, value=mode.value, unit=mode.unit)


def wrapper(mode: Mode) -> Wrapper:
    """How the unit of a component in ``mode`` runs its wrapper.

    A process of a program with another digest is outdated.
    """
    return Wrapper(
        name=mode.name,
        setting=mode.setting,
        value=mode.value,
        unit=mode.unit,
        program=mode.wrapper.program,
        command=mode.wrapper.command,
        digest=_digest(mode.wrapper.source),
        watchdog_seconds=mode.wrapper.watchdog_seconds,
    )


@functools.cache
def _digest(source: str) -> str:
    return hashlib.sha256((_ROOT / source).read_bytes()).hexdigest()[:12]
