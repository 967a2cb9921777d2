#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Look at the revisions of DAG files on a host, go back to one, remove one, and wait until one was read."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dags_revision
short_description: Switch to a revision of the DAG files that a host has, remove one, or wait until it was read
version_added: 0.2.0
description:
  - Works on the revisions that M(flightdeck.airflow.dags_tree) made. Sends nothing to the host.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.changes
attributes:
  diff_mode:
    support: none
    description: The result has the names of the revisions.
options:
  path:
    description: Directory on the host that holds C(revisions) and C(current).
    type: path
    required: true
  revision:
    description: Name of the revision to switch to or to remove.
    type: str
    default: ""
  state:
    description:
      - C(reported) only returns the revisions, C(current) switches to O(revision) atomically, C(absent) removes it
        where it is neither the current one nor the one before.
      - C(read) waits until the DAG processor of the host has read O(files) after the switch to the current revision.
    type: str
    choices: [reported, current, absent, read]
    default: reported
  files:
    description: DAG files, relative to the revision.
    type: list
    elements: str
    default: []
  logs:
    description: Directory of the logs that the DAG processor writes, one for each DAG file below one for each day.
    type: str
    default: ""
  bundle:
    description: Name of the bundle, whose logs have a directory of their own; empty for none.
    type: str
    default: ""
  timeout:
    description: Seconds that C(read) waits.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Switch back to the revision before
  flightdeck.airflow.dags_revision:
    path: /var/lib/airflow/dags
    revision: 0123456789abcdef
    state: current
"""

RETURN = r"""
current:
  description: Name of the current revision; empty for none.
  type: str
  returned: always
previous:
  description: Name of the revision that was the current one before; empty for none.
  type: str
  returned: always
revisions:
  description: Names of the revisions on the host.
  type: list
  elements: str
  returned: always
seconds:
  description: Seconds from the switch until everything was read.
  type: float
  returned: when O(state=read)
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _dags


def _wait(module: AnsibleModule, revisions: _dags.Revisions) -> float:
    """Seconds from the switch until the DAG processor had read all files."""
    files, seconds = module.params["files"], module.params["timeout"]
    logs = (module.params["logs"], module.params["bundle"])
    switched = os.lstat(revisions.link).st_mtime
    end = time.monotonic() + seconds
    waiting = set(files)
    last = switched
    while waiting:
        for file in sorted(waiting):
            if (read := _dags.last_read(*logs, file)) >= switched:
                waiting.remove(file)
                last = max(last, read)
        if waiting and time.monotonic() > end:
            some = ", ".join(sorted(waiting)[:5])
            module.fail_json(
                msg=f"{len(waiting)} DAG file(s) were not read within {seconds} s after the switch, such as {some}; "
                "see the log of airflow-dag-processor"
            )
        if waiting:
            time.sleep(0.5)
    return round(last - switched, 1)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "revision": {"type": "str", "default": ""},
            "state": {"type": "str", "choices": ["reported", "current", "absent", "read"], "default": "reported"},
            "files": {"type": "list", "elements": "str", "default": []},
            "logs": {"type": "str", "default": ""},
            "bundle": {"type": "str", "default": ""},
            "timeout": {"type": "int", "default": 600},
        },
        required_if=[("state", "current", ["revision"]), ("state", "absent", ["revision"])],
        supports_check_mode=True,
    )
    wanted, state = module.params["revision"], module.params["state"]
    revisions = _dags.Revisions(module.params["path"], "")
    result: dict[str, object] = {"changed": False}
    if state == "current":
        if not revisions.has(wanted):
            module.fail_json(msg=f"{revisions.directory} does not have {wanted}")
        result["changed"] = revisions.current() != wanted
        if result["changed"] and not module.check_mode:
            revisions.switch(wanted)
    elif state == "absent":
        result["changed"] = revisions.has(wanted) and wanted not in (revisions.current(), revisions.previous())
        if result["changed"] and not module.check_mode:
            revisions.remove(wanted)
    elif state == "read" and not module.check_mode:
        result["seconds"] = _wait(module, revisions)
    result.update(current=revisions.current(), previous=revisions.previous(), revisions=revisions.names())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
