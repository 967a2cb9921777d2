#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Bring the archive of a release from the host that built it to the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_archive
short_description: Bring the archive of an Airflow release to the controller
version_added: 0.1.0
description:
  - Transfers O(path) as a file, through the connection, with any login. C(ansible.builtin.fetch) reads a file that only
    root may read into the memory of both ends and sends it as text.
  - For a login that is not root, a copy with mode 0400 lies in the temporary directory that Ansible makes for the
    login, which no other account may enter, until it is transferred. The next run removes what a killed run has left
    there.
  - O(dest) appears when the whole archive has come and its digest is right.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.changes
attributes:
  diff_mode:
    support: none
    description: Shows nothing, because an archive is no text.
options:
  path:
    description: The archive on the host.
    type: path
    required: true
  dest:
    description: Where the controller keeps it.
    type: path
    required: true
  folder:
    description: Set by the action plugin.
    type: path
  uid:
    description: Set by the action plugin.
    type: int
"""

EXAMPLES = r"""
- name: Fetch the archive
  flightdeck.airflow.release_archive:
    path: /opt/airflow/releases/3.3.2-0a1b2c3d-py3.11.tar.zst
    dest: ~/.cache/flightdeck/3.3.2-0a1b2c3d-py3.11-bookworm-x86_64.tar.zst
"""

RETURN = r"""
sha256:
  description: Digest of the archive.
  type: str
  returned: always but in check mode
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from typing import BinaryIO

from ansible.module_utils.basic import AnsibleModule

_BLOCK = 1 << 20


@contextlib.contextmanager
def offered(folder: str, name: str, uid: int) -> Iterator[BinaryIO]:
    """A new file ``name`` that only ``uid`` may read, in ``folder``, which must be its own. Gone when the block fails.

    The account can replace the folder at any time, so nothing is looked up by its path twice. Raises OSError.
    """
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        owner = os.fstat(directory).st_uid
        if owner != uid:
            raise PermissionError(f"{folder} belongs to the account {owner}, not to the login {uid}")
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o400, dir_fd=directory)
        try:
            with os.fdopen(file, "wb") as stream:
                yield stream
                stream.flush()
                os.fchown(stream.fileno(), uid, -1)
        except BaseException:
            os.unlink(name, dir_fd=directory)
            raise
    finally:
        os.close(directory)


def digest(path: str, copy: BinaryIO | None = None) -> str:
    """SHA-256 of a file, which is written to ``copy`` on the way. Raises OSError."""
    found = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(_BLOCK):
            found.update(block)
            if copy:
                copy.write(block)
    return found.hexdigest()


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "dest": {"type": "path", "required": True},
            "folder": {"type": "path"},
            "uid": {"type": "int"},
        },
        required_together=[("folder", "uid")],
        supports_check_mode=True,
    )
    path, folder, uid = (module.params[name] for name in ("path", "folder", "uid"))
    try:
        if folder is None:
            module.exit_json(changed=False, path=path, sha256=digest(path))
        name = os.path.basename(path)
        with offered(folder, name, uid) as copy:
            found = digest(path, copy)
        module.exit_json(changed=False, path=os.path.join(folder, name), sha256=found)
    except OSError as error:
        size = f" ({os.path.getsize(path) >> 20} MiB)" if os.path.exists(path) else ""
        module.fail_json(
            msg=f"{path}{size} cannot be handed to the account that logs in: {error}. It needs room for it in its "
            "temporary directory; "
            "ansible_remote_tmp names another."
        )


if __name__ == "__main__":
    main()
