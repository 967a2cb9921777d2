#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Put the user's plugins and modules in place on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: code_tree
short_description: Ship plugins and modules to a host, and switch to them when Airflow can import them
version_added: 0.1.0
description:
  - Makes C(plugins) and C(python) below O(path)C(/current) what O(plugins) and O(python) on the controller hold. Beside
    each is a file with the suffix C(.digest), whose content changes with it.
  - Every content has its own directory under O(path)C(/revisions). C(current) is a symbolic link to one of them, which
    is replaced atomically after O(check_command) has succeeded. When it fails, the host stays as it was.
  - The command runs again for code that is there when O(release) is another one.
  - Directories C(.git) and C(__pycache__) and files C(*.pyc) are left out. A symbolic link must point into its
    directory.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.changes
options:
  plugins:
    description: Absolute path of the directory of plugins on the controller. Empty for none.
    type: str
    default: ""
  python:
    description: Absolute path of the directory of modules on the controller. Empty for none.
    type: str
    default: ""
  path:
    description: Directory on the host that holds C(revisions) and C(current).
    type: path
    required: true
  group:
    description: Group that may read it. Only root writes.
    type: str
    default: airflow
  check_command:
    description: Command that imports the code; C(%s) in its parts is the directory of the revision. It prints what is
      wrong, one fault per line that begins with C(FAULT).
    type: list
    elements: str
    required: true
  check_environment:
    description: Environment of O(check_command), with C(%s) as there.
    type: dict
    default: {}
  release:
    description: Name of the release that imports it.
    type: str
    required: true
  digest:
    description: Set by the action plugin.
    type: str
  archive:
    description: Set by the action plugin.
    type: path
"""

EXAMPLES = r"""
- name: Ship the plugins
  flightdeck.airflow.code_tree:
    plugins: "{{ inventory_dir }}/../plugins"
    path: /etc/airflow/code
    check_command: [/opt/airflow/current/bin/python, -m, compileall, "%s/plugins"]
    release: 3.3.2
"""

RETURN = r"""
revision:
  description: Name of the revision that is, or in check mode would be, the current one.
  type: str
  returned: always
changed_paths:
  description: The files with digests that were, or in check mode may be, changed.
  type: list
  elements: str
  returned: always
"""

import os
import shutil
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _dags, _files

# Revisions that stay on the host.
_KEEP = 3
_SHOWN = 20
# What was imported last, by which release.
_CHECKED = "checked"
_MARK = "FAULT "


def import_code(module: AnsibleModule, revision: str) -> None:
    """Run the command that imports the ``revision``; fail when it does."""
    params = module.params
    command = [part.replace("%s", revision) for part in params["check_command"]]
    environment = {name: str(value).replace("%s", revision) for name, value in params["check_environment"].items()}
    code, out, err = module.run_command(command, environ_update=environment, cwd="/")
    if code:
        faults = [line.removeprefix(_MARK) for line in out.splitlines() if line.startswith(_MARK)]
        faults = faults or (out + err).strip().splitlines()[-_SHOWN:] or [f"the command ended with {code}"]
        raise _dags.RevisionsError(
            "FD256 airflow_plugins_dir, airflow_python_dir: found code that Airflow cannot import: "
            + "; ".join(faults[:_SHOWN])
            + "; expected code that its release imports. Correct it: plugins and processes on this host are as before."
        )


def apply(module: AnsibleModule) -> dict[str, Any]:
    """Make the revision the current one, when it can be imported. Raises OSError and RevisionsError."""
    params, check = module.params, module.check_mode
    revisions = _dags.Revisions(params["path"], params["group"])
    digest, before = params["digest"], revisions.current()
    revision = os.path.join(revisions.directory, digest)
    digests = [os.path.join(revisions.link, name) for name in ("plugins.digest", "python.digest")]
    result: dict[str, Any] = {"changed": False, "missing": False, "revision": digest, "changed_paths": []}
    checked, mark = os.path.join(params["path"], _CHECKED), f"{digest} {params['release']}\n"
    if before == digest and _files.read_text(checked) == mark:
        return result
    if before != digest:
        result["manifest"] = _dags.manifest(os.path.join(revisions.directory, before)) if before else {}
        result.update(changed=True, changed_paths=digests)
    if not os.path.isdir(revision) and (check or not params["archive"]):
        return {**result, "missing": True}
    if check:
        return result
    unpacked = not os.path.isdir(revision)
    if unpacked:
        revisions.unpack(params["archive"], digest, before)
    try:
        import_code(module, revision)
    except _dags.RevisionsError:
        if unpacked:
            shutil.rmtree(revision)
        raise
    revisions.apply(digest, archive=None, keep=_KEEP, check=False, want_manifest=False)
    _files.write_text(checked, mark, os.geteuid(), os.getegid(), 0o644)
    return result


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            # The first two are for the action plugin.
            "plugins": {"type": "str", "default": ""},
            "python": {"type": "str", "default": ""},
            "path": {"type": "path", "required": True},
            "group": {"type": "str", "default": "airflow"},
            "check_command": {"type": "list", "elements": "str", "required": True},
            "check_environment": {"type": "dict", "default": {}},
            "release": {"type": "str", "required": True},
            "digest": {"type": "str"},
            "archive": {"type": "path"},
        },
        supports_check_mode=True,
    )
    _dags.run(module, apply)


if __name__ == "__main__":
    main()
