# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of flightdeck.airflow.support_archive: one archive of what the hosts have sent."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.modules.support_archive import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._api.report import one_line
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded


class ActionModule(ActionBase):
    """See the documentation of the module."""

    _requires_connection = False
    _supports_check_mode = True

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Pack the directory."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = arguments(self, DOCUMENTATION)
        variables = task_vars or {}
        hosts = list(variables["airflow_cluster"]["nodes"])
        found = {host: variables["hostvars"].get(host, {}).get(given["from_hosts"]) for host in hosts}
        lines = list(_lines(found))
        dest = Path(os.path.abspath(os.path.expanduser(given["dest"])))
        if not self._task.check_mode:
            src = Path(os.path.abspath(os.path.expanduser(given["src"])))
            src.mkdir(mode=0o700, parents=True, exist_ok=True)
            (src / "hosts.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            _pack(src, dest)
            shutil.rmtree(src)
        result.update(changed=True, lines=lines)
        return result


def _lines(found: Mapping[str, Mapping[str, Any] | None]) -> Iterator[str]:
    """What there is of each host; ``found`` is what its task registered."""
    for host, said in found.items():
        if said is None:
            yield f"{host}: not asked (--limit)"
        elif "files" in said:
            notes = said.get("notes", [])
            yield f"{host}: {said['files']} files{f', {len(notes)} notes' if notes else ''}"
        else:
            state = "not reached" if said.get("unreachable") else "nothing was collected"
            yield f"{host}: {state}: {one_line(said.get('msg'))}"


def _pack(src: Path, dest: Path) -> None:
    """Under another name until it is whole."""
    half = dest.with_name(f".{dest.name}.{os.getpid()}")
    top = dest.name.removesuffix(".tar.gz")
    try:
        with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            with tarfile.open(fileobj=stream, mode="w:gz") as archive:
                archive.add(src, arcname=top, filter=_plain)
        os.replace(half, dest)
    except OSError:
        half.unlink(missing_ok=True)
        raise


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the names of the controller's accounts."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
