# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of the module code_tree: reads the directories, and sends them where they are missing."""

from __future__ import annotations

import os
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.modules.code_tree import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import code, dag_archive
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded

_MODULE = "flightdeck.airflow.code_tree"
_SHOWN = 100


class ActionModule(ActionBase):
    """See plugins/modules/code_tree.py for the documentation."""

    _supports_check_mode = True
    _supports_diff = True

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module once; a second time, with the archive, on a host that lacks the revision."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        wanted = arguments(self, DOCUMENTATION)
        sources = {part: str(wanted.pop(part)) for part in ("plugins", "python")}
        try:
            tree = code.tree(sources)
        except dag_archive.TreeError as error:
            raise AnsibleActionFail(str(error)) from error
        wanted["digest"] = tree.digest()
        found = self._execute_module(module_name=_MODULE, module_args=wanted, task_vars=task_vars)
        manifest = found.pop("manifest", None)
        if found.get("missing") and not self._task.check_mode and not found.get("failed"):
            found = self._send(tree, wanted, task_vars)
            found.pop("manifest", None)
        if self._task.diff and manifest is not None and found.get("changed"):
            found["diff"] = _diff(manifest, tree.manifest())
        found.pop("missing", None)
        result.update(found)
        return result

    def _send(self, tree: dag_archive.Tree, wanted: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        # The directory is the one that Ansible makes for each run and removes at its end.
        archive = os.path.join(C.DEFAULT_LOCAL_TMP, f"flightdeck-code-{tree.digest()}.tar.gz")
        if not os.path.exists(archive):
            dag_archive.pack(tree, archive)
        folder = self._make_tmp_path()
        remote = self._transfer_file(archive, self._connection._shell.join_path(folder, os.path.basename(archive)))
        self._fixup_perms2((folder, remote))
        try:
            given = {**wanted, "archive": remote}
            return dict(self._execute_module(module_name=_MODULE, module_args=given, task_vars=task_vars))
        finally:
            self._remove_tmp_path(folder)


def _diff(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    """What Ansible shows with ``--diff``: one line per file that differs."""
    changes = dag_archive.compare(before, after)
    lines = [f"{word} {path}\n" for word, paths in changes.items() for path in paths]
    more = [f"and {len(lines) - _SHOWN} more\n"] if len(lines) > _SHOWN else []
    return {"before": "", "after": "".join([*lines[:_SHOWN], *more])}
