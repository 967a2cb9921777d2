# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modes of components: which a cluster has, and what their hosts get."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import MODES, SCHEDULER_LEASE, Mode
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import scheduler_lease
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import (
    BuiltUrl,
    ComponentMode,
    ExtraUser,
    SecretFile,
    Wrapper,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings

_ROOT = Path(__file__).parents[3]


class Hooks(Protocol):
    """What a mode adds to the model; ``hosts`` are those of its component."""

    def share(self, hosts: Iterable[Host], *, enabled: bool) -> ComponentMode:
        """What roles and playbooks have to know of the mode of ``hosts``, and whether it is ``enabled``."""

    def users(self, hosts: Iterable[Host]) -> tuple[ExtraUser, ...]:
        """Its accounts of ``hosts`` in the metastore."""

    def secret_files(self, host: Host, common: Iterable[BuiltUrl], settings: Settings) -> tuple[SecretFile, ...]:
        """Its secret files on ``host``; ``common`` are the URLs that a component has without it, by ``settings``."""


HOOKS: Mapping[str, Hooks] = MappingProxyType({SCHEDULER_LEASE.name: scheduler_lease})


def active_modes(settings: Settings) -> list[Mode]:
    """The modes that the user's ``settings`` turn on."""
    return [mode for mode in MODES if getattr(settings, mode.setting.removeprefix("airflow_")) == mode.value]


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
