# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Controller side of the module release_archive: transfers a file that only root may read without becoming root for
the transfer."""

from __future__ import annotations

import glob
import os
import shlex
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.modules.release_archive import DOCUMENTATION, digest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments

_MODULE = "flightdeck.airflow.release_archive"


class ActionModule(ActionBase):
    """See plugins/modules/release_archive.py for the documentation."""

    _supports_check_mode = True

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
        os.makedirs(os.path.dirname(dest), exist_ok=True)
        for left in glob.glob(f"{glob.escape(dest)}.{glob.escape(host)}.*"):
            os.unlink(left)
        half = f"{dest}.{host}.{os.getpid()}"
        self._connection.fetch_file(path, half)
        if digest(half) != sha256:
            os.unlink(half)
            raise AnsibleActionFail(f"{path}: what came to the controller is not what the host sent. Run again.")
        # As any file that the user makes; it has come with the mode of the copy, or with none.
        mask = os.umask(0o077)
        os.umask(mask)
        os.chmod(half, 0o666 & ~mask)
        os.replace(half, dest)
