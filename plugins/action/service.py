# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of the module service: renders the template of a unit file."""

from __future__ import annotations

import base64
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.modules.service import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import templates
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded

_MODULE = "flightdeck.airflow.service"


class ActionModule(ActionBase):
    """See plugins/modules/service.py for the documentation."""

    _supports_check_mode = True
    _supports_diff = True

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module once. Raises AnsibleError when the template cannot be rendered."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        # The module tells an option that is not set from an empty one.
        given = {name: value for name, value in arguments(self, DOCUMENTATION).items() if value is not None}
        src = given.pop("src", None)
        if src:
            text = templates.source(self, str(src), str(given.get("name")), task_vars or {})
            given["content"] = base64.b64encode(text.encode()).decode()
        result.update(self._execute_module(module_name=_MODULE, module_args=given, task_vars=task_vars))
        return result
