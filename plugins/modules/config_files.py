#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Write the configuration files of a service in one module execution."""

from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Write configuration files from templates, many in one execution
version_added: 0.1.0
description:
  - Writes files and directories, and removes files, in a single execution per host. A role with ten small files would
    cost ten round trips with M(ansible.builtin.template).
  - The path of a template below C(templates/) of the role is the path of its target, with the suffix C(.j2).
    Templates are rendered as by M(ansible.builtin.template).
  - Files are replaced atomically, with owner and mode set before they are visible. Missing directories above a file are
    created for everybody to read.
  - Contents do not stand in the log of the host.
author: Flightdeck contributors (@flightdeck)
attributes:
  check_mode:
    support: full
    description: Reports what would change and changes nothing. Owners that do not exist yet are not looked up.
  diff_mode:
    support: full
    description: Shows the contents of files that are not secret.
options:
  directories:
    description: Directories to create, before the files, in this order.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      owner: {description: User name., type: str, default: root}
      group: {description: Group name., type: str, default: root}
      mode: {description: Mode as a text of four octal digits., type: str, required: true}
  files:
    description: Files to write, in this order.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      src:
        description:
          - A template below C(templates/), or a file below C(files/) that is copied as it is, or the absolute path of
            one of them. The default is the template of the path.
        type: str
      template:
        description: Whether O(files[].src) is a template. The default is that it is when its name ends in C(.j2).
        type: bool
      content:
        description:
          - The content, in place of a template. Neither the output of Ansible nor the log of the host has it.
          - The host gets all contents here, encoded in base64.
        type: str
      owner: {description: User name., type: str, default: root}
      group: {description: Group name., type: str, default: root}
      mode: {description: Mode as a text of four octal digits., type: str, required: true}
      secret: {description: Whether a diff leaves the content out., type: bool, default: false}
      validate:
        description: Command that must succeed before the file is put in place; C(%s) is the path of the candidate.
        type: str
  absent:
    description: Files and links to remove. Directories are refused.
    type: list
    elements: path
    default: []
  absent_when_empty:
    description: Directories to remove, after the files and in this order, unless something is left in them.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Write the configuration of HAProxy
  flightdeck.airflow.config_files:
    directories:
      - {path: /etc/haproxy, mode: "0755"}
    files:
      # From templates/etc/haproxy/haproxy.cfg.j2
      - {path: /etc/haproxy/haproxy.cfg, mode: "0644", validate: /usr/sbin/haproxy -c -f %s}
      - {path: /etc/haproxy/users.cfg, group: haproxy, mode: "0640", secret: true}
      # From files/check.py
      - {path: /usr/local/sbin/check, src: check.py, mode: "0755"}
"""

RETURN = r"""
changed_paths:
  description: The paths that were, or in check mode would be, changed.
  type: list
  elements: str
  returned: always
"""

import base64
import os
import shlex
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _files

_PATH: dict[str, Any] = {"type": "path", "required": True}
_ATTRIBUTES: dict[str, Any] = {
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "mode": {"type": "str", "required": True},
}
ARGUMENTS: dict[str, Any] = {
    "directories": {"type": "list", "elements": "dict", "default": [], "options": {"path": _PATH, **_ATTRIBUTES}},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": _PATH,
            "src": {"type": "str"},
            "template": {"type": "bool"},
            "content": {"type": "str", "no_log": True},
            **_ATTRIBUTES,
            "secret": {"type": "bool", "default": False, "no_log": False},
            "validate": {"type": "str"},
        },
        "mutually_exclusive": [("src", "content")],
    },
    "absent": {"type": "list", "elements": "path", "default": []},
    "absent_when_empty": {"type": "list", "elements": "path", "default": []},
}


def ensure_file(module: AnsibleModule, spec: dict[str, Any], change: _files.Change) -> None:
    """Write one file, when it differs, after its validation. Raises OSError and ValueError."""
    path, content = spec["path"], base64.b64decode(spec["content"]).decode(errors="surrogateescape")
    shown = _files.file_change(spec, content, secret=spec["secret"])
    if shown is None:
        return
    change.add(path, *shown)
    if module.check_mode:
        return
    attributes = (*_files.uid_gid(spec), _files.mode_of(spec))
    if spec["validate"]:
        candidate = f"{path}.candidate"
        _files.write_text(candidate, content, *attributes)
        try:
            code, out, err = module.run_command(shlex.split(spec["validate"] % shlex.quote(candidate)))
        finally:
            os.unlink(candidate)
        if code:
            raise ValueError(f"{path} was not changed, its new content is invalid: {(err or out).strip()}")
    _files.write_text(path, content, *attributes)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    change = _files.Change()
    try:
        for spec in module.params["directories"]:
            _files.ensure_directory(spec, change, check=module.check_mode)
        for spec in module.params["files"]:
            ensure_file(module, spec, change)
        for path in module.params["absent"]:
            _files.ensure_absent(path, change, check=module.check_mode)
        for path in module.params["absent_when_empty"]:
            _files.ensure_empty_absent(path, change, check=module.check_mode)
    except (OSError, ValueError) as error:
        module.fail_json(msg=str(error), changed_paths=change.paths)
    result: dict[str, Any] = {"changed": bool(change.paths), "changed_paths": change.paths}
    # The texts of large files would travel for nothing.
    module.exit_json(**result, **({"diff": change.diff} if module._diff else {}))


if __name__ == "__main__":
    main()
