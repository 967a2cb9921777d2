# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of the module release_archive: transfers a file that only root may read without becoming root for
the transfer."""

from __future__ import annotations

import glob
import os
import shlex
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.module_utils import _files
from ansible_collections.flightdeck.airflow.plugins.modules.release_archive import DOCUMENTATION, digest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded

_MODULE = "flightdeck.airflow.release_archive"


class ActionModule(ActionBase):
    """See plugins/modules/release_archive.py for the documentation."""

    _supports_check_mode = True

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Have the archive on the controller. Raises AnsibleActionFail when something else came than was sent."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        if self._task.check_mode:
            return {**result, "changed": True}
        given = arguments(self, DOCUMENTATION)
        path = given["path"]
        sending: dict[str, Any] = {"path": path, "dest": os.path.abspath(os.path.expanduser(given["dest"]))}
        login = self._login()
        folder = self._folder(os.path.basename(path)) if login and self._connection.become else ""
        if folder:
            sending |= {"folder": folder, "uid": login}
        try:
            sent = self._execute_module(module_name=_MODULE, module_args=sending, task_vars=task_vars)
            if sent.get("failed"):
                return {**result, **sent}
            self._receive(
                sent["path"], sending["dest"], sent["sha256"], str((task_vars or {}).get("inventory_hostname", ""))
            )
        finally:
            if folder:
                self._remove_tmp_path(folder)
        return {**result, "changed": True, "sha256": sent["sha256"]}

    def _login(self) -> int:
        """Number of the account that the connection belongs to, which is the one that reads files for a transfer."""
        done = self._low_level_execute_command("id -u", sudoable=False)
        text = str(done["stdout"]).strip().rpartition("\n")[2]
        if done["rc"] or not text.isdecimal():
            raise AnsibleActionFail(f"the host does not tell who logs in: {text or done['stderr']!r}")
        return int(text)

    def _folder(self, name: str) -> str:
        """A directory of the login, without the copies that killed runs have left beside it."""
        folder = str(self._make_tmp_path()).rstrip("/")
        beside = f"{shlex.quote(os.path.dirname(folder))}/ansible-tmp-*/{shlex.quote(name)}"
        self._low_level_execute_command(f"rm -f {beside}", sudoable=False)
        return folder

    def _receive(self, path: str, dest: str, sha256: str, host: str) -> None:
        """Under another name until it is whole: a run that is killed must not leave half an archive for the other
        hosts.

        Its workers may outlive it, so each process has a name of its own, and takes away what earlier ones have left.
        """
        _files.ensure_parents(dest)
        for left in glob.glob(f"{glob.escape(dest)}.{glob.escape(host)}.*"):
            os.unlink(left)
        half = f"{dest}.{host}.{os.getpid()}"
        self._connection.fetch_file(path, half)
        if digest(half) != sha256:
            os.unlink(half)
            raise AnsibleActionFail(f"{path}: what came to the controller is not what the host sent. Run again.")
        # It has the mode of the copy, or of the umask. A cache may be shared, but who can write an archive is root on
        # every host.
        os.chmod(half, 0o644)
        os.replace(half, dest)
