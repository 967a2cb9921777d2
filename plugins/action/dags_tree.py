# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of flightdeck.airflow.dags_tree: reads the tree on the controller once per run, and sends it where it is
missing."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.text.converters import to_bytes
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.flightdeck.airflow.plugins.modules.dags_tree import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import dag_archive
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded

MODULE = "flightdeck.airflow.dags_tree"
_SHOWN = 100

display = Display()


class ActionModule(ActionBase):
    """See the documentation of the module."""

    _supports_check_mode = True
    _supports_diff = True

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module once; a second time, with the archive, on a host that lacks the revision."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        wanted = arguments(self, DOCUMENTATION)
        source = wanted.pop("source")
        generated = {str(path): to_bytes(content) for path, content in wanted.pop("generated").items()}
        prepared = _prepare(os.path.expanduser(source), generated, wanted["target_python"])
        wanted.update(digest=prepared["digest"], want_manifest=bool(self._task.diff))
        found = self._execute_module(module_name=MODULE, module_args=wanted, task_vars=task_vars)
        if found.get("missing") and not self._task.check_mode and not found.get("failed"):
            before = found.get("manifest")
            found = self._send(prepared["archive"], wanted, task_vars)
            found.setdefault("manifest", before)
        if self._task.diff and found.get("manifest") is not None and not found.get("failed"):
            found["diff"] = _diff(found, prepared["manifest"])
        for internal in ("manifest", "missing"):
            found.pop(internal, None)
        result.update(found)
        return result

    def _send(self, archive: str, wanted: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        folder = self._make_tmp_path()
        remote = self._transfer_file(archive, self._connection._shell.join_path(folder, os.path.basename(archive)))
        self._fixup_perms2((folder, remote))
        try:
            return dict(
                self._execute_module(
                    module_name=MODULE,
                    module_args={**wanted, "archive": remote, "want_manifest": False},
                    task_vars=task_vars,
                )
            )
        finally:
            self._remove_tmp_path(folder)


def _prepare(source: str, generated: dict[str, bytes], target_python: str) -> dict[str, Any]:
    """Digest, manifest and archive of the tree, computed by the first fork that asks and read by all others.

    The directory is the one that Ansible makes for each run and removes at its end, so a later run reads the tree
    again.
    """
    key = hashlib.sha256(repr((source, sorted(generated.items()), target_python)).encode()).hexdigest()[:16]
    base = os.path.join(C.DEFAULT_LOCAL_TMP, f"flightdeck-dags-{key}")
    with open(f"{base}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(f"{base}.json"):
            with open(f"{base}.json", encoding="utf-8") as stream:
                prepared = dict(json.load(stream))
        else:
            prepared = _read(source, generated, target_python, base)
            with open(f"{base}.json.new", "w", encoding="utf-8") as stream:
                json.dump(prepared, stream)
            os.replace(f"{base}.json.new", f"{base}.json")
    if "error" in prepared:
        raise AnsibleActionFail(prepared["error"])
    return prepared


def _read(source: str, generated: dict[str, bytes], target_python: str, base: str) -> dict[str, Any]:
    try:
        tree = dag_archive.scan(source, generated)
        errors, warned = dag_archive.syntax_findings(tree, target_python)
        for warning in warned:
            display.warning(
                f"{dag_archive.VARIABLE}: {warning} (shipped all the same: it may be syntax of a newer Python)"
            )
        if errors:
            raise dag_archive.TreeError(
                f"{dag_archive.VARIABLE}: {len(errors)} Python file(s) in {tree.root} do not compile: "
                f"{'; '.join(errors[:10])}. "
                "Correct them; nothing was shipped to any host."
            )
        archive = f"{base}.tar.gz"
        dag_archive.pack(tree, archive)
    except dag_archive.TreeError as error:
        return {"error": str(error)}
    return {"digest": tree.digest(), "manifest": tree.manifest(), "archive": archive}


def _diff(found: dict[str, Any], after: dict[str, str]) -> dict[str, str]:
    """What Ansible shows with ``--diff``: one line per file that differs."""
    changes = dag_archive.compare(found["manifest"], after)
    lines = [f"{word} {path}\n" for word, paths in changes.items() for path in paths]
    more = [f"and {len(lines) - _SHOWN} more\n"] if len(lines) > _SHOWN else []
    return {
        "before_header": f"revision {found.get('previous') or 'none'}",
        "after_header": f"revision {found.get('revision')}",
        "before": "",
        "after": "".join([*lines[:_SHOWN], *more]),
    }
