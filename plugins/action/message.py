# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of flightdeck.airflow.message: prints lines, whatever the callback of the run shows of tasks without a
change."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.flightdeck.airflow.plugins.modules.message import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded

display = Display()


class ActionModule(ActionBase):
    """See the documentation of the module."""

    _requires_connection = False
    _supports_check_mode = True

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Print the lines between two empty ones."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        display.display("\n".join(["", *arguments(self, DOCUMENTATION)["lines"], ""]))
        result.update(changed=False)
        return result
