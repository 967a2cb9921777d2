# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of the module config_files: renders the templates and sends all files in one execution."""

from __future__ import annotations

import base64
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.text.converters import to_bytes
from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.modules.config_files import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import templates
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded

_MODULE = "flightdeck.airflow.config_files"


class ActionModule(ActionBase):
    """See plugins/modules/config_files.py for the documentation."""

    _supports_check_mode = True
    _supports_diff = True

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module once. Raises AnsibleError when a template cannot be rendered."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = arguments(self, DOCUMENTATION)
        given["files"] = [self._prepared(file, task_vars or {}) for file in given["files"]]
        result.update(self._execute_module(module_name=_MODULE, module_args=given, task_vars=task_vars))
        return result

    def _prepared(self, file: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """What the host gets of one entry: the same with the content, which is encoded so that a diff is not taken
        for it."""
        content = file["content"]
        if content is not None and file["src"]:
            raise AnsibleActionFail(f"{file['path']}: parameters are mutually exclusive: src|content")
        if content is None:
            name = file["src"] or templates.template_of(file["path"])
            content = templates.source(self, name, file["path"], task_vars, file["template"])
        sent = {name: value for name, value in file.items() if name not in ("src", "template")}
        return {**sent, "content": base64.b64encode(to_bytes(content)).decode()}
