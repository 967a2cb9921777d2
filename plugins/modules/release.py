#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Unpack, activate and prune Airflow releases."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Activate an Airflow release
version_added: 0.1.0
description:
  - Points C(current) to a release, atomically, and removes releases that are no longer kept. Unpacks the release first
    when O(archive) is given; a release that was unpacked halfway is never seen.
  - Without O(archive), a release that is not there is no error. RV(installed) tells.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.changes
options:
  root:
    description: Directory that holds C(releases) and C(current).
    type: path
    required: true
  name:
    description: The release, a directory below C(releases).
    type: str
    required: true
  archive:
    description: Archive (tar, zstd) on this host that holds the directory O(name). Removed once it is unpacked.
    type: path
  keep:
    description: Releases that stay, the current one included. The one that C(current) pointed to before always stays.
    type: int
    default: 2
  state:
    description: V(current) activates the release. V(present) only unpacks it, beside the one that is active.
    type: str
    choices: [current, present]
    default: current
"""

EXAMPLES = r"""
- name: Activate the release
  flightdeck.airflow.release:
    root: /opt/airflow
    name: 3.3.2-0a1b2c3d-py3.11
"""

RETURN = r"""
ansible_facts:
  description: flightdeck_next_release, the directory of a release that is not active.
  type: dict
  returned: with O(state=present)
installed:
  description: Whether the release is on this host.
  type: bool
  returned: always
removed:
  description: Releases that were removed.
  type: list
  elements: str
  returned: always
"""

import os
import shutil
import stat

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _files

# Written last when a release is built, so it marks a whole one.
MARK = "release.json"


def unpack(module: AnsibleModule, releases: str, name: str, archive: str) -> None:
    """Unpack ``archive`` beside the other releases and move the result into place."""
    half = os.path.join(releases, f".{name}.half")
    shutil.rmtree(half, ignore_errors=True)
    shutil.rmtree(os.path.join(releases, name), ignore_errors=True)
    _files.ensure_parents(half)
    os.mkdir(half, mode=0o700)
    # The modes of the archive: the umask of the account that became root counts for nothing.
    command = ["tar", "--extract", "--use-compress-program", "zstd -d", "--no-same-owner", "--same-permissions"]
    command += ["--file", archive, "--directory", half]
    code, _out, err = module.run_command(command)
    if code:
        shutil.rmtree(half, ignore_errors=True)
        module.fail_json(msg=f"{archive} cannot be unpacked: {err.strip()}")
    os.rename(os.path.join(half, name), os.path.join(releases, name))
    os.rmdir(half)
    os.unlink(archive)


def open_directory(path: str, change: _files.Change, *, check: bool) -> None:
    """Let every account enter and read ``path``, also when it was created closed; with ``check`` only record it.

    Raises OSError.
    """
    if not os.path.isdir(path) or stat.S_IMODE(os.stat(path).st_mode) & 0o055 == 0o055:
        return
    before = _files.attributes(path)
    change.add(path, f"{before}\n", f"{before.split()[0]} 0755\n")
    if not check:
        os.chmod(path, 0o755)


def superfluous(releases: str, keep: int, stay: set[str]) -> list[str]:
    """Releases beyond the newest ``keep``, except those in ``stay``."""
    present = [entry.name for entry in os.scandir(releases) if entry.is_dir() and not entry.name.startswith(".")]
    newest = sorted(
        present,
        key=lambda name: (
            name in stay,
            os.stat(os.path.join(releases, name, MARK)).st_mtime
            if os.path.exists(os.path.join(releases, name, MARK))
            else 0.0,
        ),
        reverse=True,
    )
    return sorted(name for name in newest[keep:] if name not in stay)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "archive": {"type": "path"},
            "keep": {"type": "int", "default": 2},
            "state": {"type": "str", "choices": ["current", "present"], "default": "current"},
        },
        supports_check_mode=True,
    )
    root, name, archive = module.params["root"], module.params["name"], module.params["archive"]
    releases, link = os.path.join(root, "releases"), os.path.join(root, "current")
    change = _files.Change()
    installed = os.path.exists(os.path.join(releases, name, MARK))
    removed: list[str] = []
    try:
        if archive and not installed:
            change.add(os.path.join(releases, name), "absent\n", "present\n")
            if not module.check_mode:
                unpack(module, releases, name, archive)
                installed = True
        for directory in (root, releases):
            open_directory(directory, change, check=module.check_mode)
        if installed and module.params["state"] == "current":
            previous = os.path.basename(os.readlink(link)) if os.path.islink(link) else name
            _files.ensure_link({"path": link, "target": f"releases/{name}"}, change, check=module.check_mode)
            # The host that built it has its archive still; the controller has it too by now.
            _files.ensure_absent(os.path.join(releases, f"{name}.tar.zst"), change, check=module.check_mode)
            removed = superfluous(releases, module.params["keep"], {name, previous})
            for old in removed:
                change.add(os.path.join(releases, old), "present\n", "absent\n")
                if not module.check_mode:
                    shutil.rmtree(os.path.join(releases, old))
    except OSError as error:
        module.fail_json(msg=str(error))
    facts = (
        {"ansible_facts": {"ansible_flightdeck_next_release": os.path.join(releases, name)}}
        if module.params["state"] == "present"
        else {}
    )
    module.exit_json(changed=bool(change.paths), installed=installed, removed=removed, diff=change.diff, **facts)


if __name__ == "__main__":
    main()
