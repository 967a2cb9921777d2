# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Controller side of the module service: renders the template of a unit file."""

from __future__ import annotations

import base64
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import templates

_MODULE = "flightdeck.airflow.service"


class ActionModule(ActionBase):
    """See plugins/modules/service.py for the documentation."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module once. Raises AnsibleError when the template cannot be rendered."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        src = arguments.pop("src", None)
        if src:
            text = templates.source(self, str(src), str(arguments.get("name")), task_vars or {})
            arguments["content"] = base64.b64encode(text.encode()).decode()
        result.update(self._execute_module(module_name=_MODULE, module_args=arguments, task_vars=task_vars))
        return result
