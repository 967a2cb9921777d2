#!/usr/bin/python
# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Manage many small files, directories and links in one module execution."""

from __future__ import annotations

DOCUMENTATION = r"""
module: files
short_description: Manage several files, directories and links at once
version_added: 0.1.0
description:
  - Writes text files, directories, symbolic links and removals of one service in a single execution.
  - A role that renders ten small files costs one round trip per host instead of ten.
  - Files are replaced atomically, with their owner and mode set before they become visible.
author: Flightdeck contributors (@flightdeck)
attributes:
  check_mode:
    support: full
    description: Reports what would change and changes nothing. Owners that do not exist yet are not looked up.
  diff_mode:
    support: full
    description: Shows every path. Set C(no_log) on the task when contents are secret.
options:
  directories:
    description: Directories to make, before anything else, in the order given.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      owner: {description: User name., type: str, default: root}
      group: {description: Group name., type: str, default: root}
      mode: {description: Mode as an octal string., type: str, required: true}
  files:
    description: Files to write.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      content: {description: The whole content of the file., type: str, required: true}
      owner: {description: User name., type: str, default: root}
      group: {description: Group name., type: str, default: root}
      mode: {description: Mode as an octal string., type: str, required: true}
      validate:
        description: Command that must succeed before the file is put in place; C(%s) is the candidate's path.
        type: str
      in_place:
        description: Write into the existing file instead of replacing it, for files that are mount points.
        type: bool
        default: false
  links:
    description: Symbolic links to make or to point elsewhere.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Path of the link., type: path, required: true}
      target: {description: What it points to., type: str, required: true}
  absent:
    description: Files and links to remove. Directories are refused.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Configure the service
  flightdeck.airflow.files:
    directories:
      - {path: /etc/example, mode: "0750", group: example}
    files:
      - path: /etc/example/example.conf
        content: "{{ lookup('ansible.builtin.template', 'etc/example/example.conf.j2') }}"
        group: example
        mode: "0640"
"""

RETURN = r"""
changed_paths:
  description: The paths that were, or in check mode would be, changed.
  type: list
  elements: str
  returned: always
"""

import os
import shlex
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _files

_FILE = {"owner": {"default": "root"}, "group": {"default": "root"}, "mode": {"type": "str", "required": True}}


def _ensure_file(module: AnsibleModule, spec: dict[str, Any], change: _files.Change) -> None:
    path, content = spec["path"], spec["content"]
    before = _files.read_text(path)
    same_attributes = before is not None and _files.attributes(path) == _files.wanted(spec)
    if before == content and (same_attributes or spec["in_place"]):
        return
    if before == content:
        change.add(path, _files.attributes(path) + "\n", _files.wanted(spec) + "\n")
    else:
        change.add(path, before or "", content)
    if module.check_mode:
        return
    try:
        uid, gid = _files.uid_gid(spec)
    except KeyError as error:
        module.fail_json(msg=f"{path}: {error.args[0]}; make the account before its files")
    if spec["validate"]:
        candidate = f"{path}.candidate"
        _files.write_text(candidate, content, uid, gid, int(spec["mode"], 8))
        try:
            code, out, err = module.run_command(shlex.split(spec["validate"] % shlex.quote(candidate)))
        finally:
            os.unlink(candidate)
        if code:
            module.fail_json(msg=f"{path} was not changed, its new content is invalid: {(err or out).strip()}")
    _files.write_text(path, content, uid, gid, int(spec["mode"], 8), in_place=spec["in_place"])


def main() -> None:
    """Entry point."""
    path = {"type": "path", "required": True}
    module = AnsibleModule(
        argument_spec={
            "directories": {"type": "list", "elements": "dict", "default": [], "options": {"path": path, **_FILE}},
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": path,
                    **_FILE,
                    "content": {"type": "str", "required": True},
                    "validate": {"type": "str"},
                    "in_place": {"type": "bool", "default": False},
                },
            },
            "links": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"path": path, "target": {"type": "str", "required": True}},
            },
            "absent": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    change = _files.Change()
    try:
        for spec in module.params["directories"]:
            _files.ensure_directory(spec, change, check=module.check_mode)
        for spec in module.params["files"]:
            _ensure_file(module, spec, change)
        for spec in module.params["links"]:
            _files.ensure_link(spec, change, check=module.check_mode)
        for absent in module.params["absent"]:
            _files.ensure_absent(absent, change, check=module.check_mode)
    except (OSError, KeyError) as error:
        module.fail_json(msg=str(error), changed_paths=change.paths)
    module.exit_json(changed=bool(change.paths), changed_paths=change.paths, diff=change.diff)


if __name__ == "__main__":
    main()
