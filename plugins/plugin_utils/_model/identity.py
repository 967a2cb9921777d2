# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cluster it is: what the files on the controller are bound to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.plain import Plain


@dataclass(frozen=True, kw_only=True)
class Identity(Plain):
    """What a cluster is known by.

    ``name`` is ``airflow_cluster_name``, ``hosts`` maps its hosts that are more than workers to their addresses,
    ``inventories`` are the files that name these hosts.
    """

    name: str
    hosts: Mapping[str, str]
    inventories: tuple[str, ...] = ()

    def seen_from(self, path: Path) -> Identity:
        """The identity with its inventories relative to the directory of the file ``path``, so that both may move
        together."""
        found = sorted({os.path.relpath(inventory, path.parent) for inventory in self.inventories})
        return replace(self, inventories=tuple(found))

    def same_cluster(self, other: Identity) -> bool:
        """Whether ``other``, seen from the same file, can be this cluster at another time.

        Hosts come and go and their addresses change, so half of the hosts of the smaller one must be in both: with
        their addresses, or, in the same inventory, by their names.
        """
        if self.name != other.name:
            return False
        smaller = min(len(self.hosts), len(other.hosts))
        unchanged = len(self.hosts.items() & other.hosts.items())
        if set(self.inventories) & set(other.inventories):
            unchanged = len(self.hosts.keys() & other.hosts.keys())
        return 2 * unchanged >= smaller
