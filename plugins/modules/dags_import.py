#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Import the DAG files of a revision beside those that run."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dags_import
short_description: Import the DAG files of a revision before it becomes the current one
version_added: 0.2.0
description:
  - Imports every DAG file of a revision that M(flightdeck.airflow.dags_tree) staged, and of the current one, with the
    release of the host, and compares what came of them.
  - Both imports have the account, environment, secrets and sandbox of the DAG processor's unit. The staged revision is
    mounted over the current one for its process alone, so every path is the one that it would have later.
  - Each file has a process of its own. Nothing is written to the metastore.
  - Does nothing where there is no such unit, no current revision, or where the revision is the current one.
  - With O(next), the revision is imported with another release and its configuration, which are not active, also when
    it is the current one. Which DAGs change is not said then, because releases write them differently.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  path:
    description: Directory on the host that holds C(revisions) and C(current).
    type: path
    required: true
  revision:
    description: Name of the staged revision.
    type: str
    required: true
  program:
    description: Text of the Python program that imports a directory and prints what came of it as JSON.
    type: str
    required: true
  python:
    description: The release's Python.
    type: path
    default: /opt/airflow/current/bin/python
  unit:
    description: Unit of the DAG processor.
    type: str
    default: airflow-dag-processor.service
  next:
    description: A release that is not active, to import O(revision) with.
    type: dict
    suboptions:
      python: {description: Its Python., type: path, required: true}
      directory: {description: What will be in C(/etc/airflow) with it., type: path, required: true}
      secrets:
        description: Mounts of the DAG processor's secrets as its unit will have them, from C(secrets) below the
          directory.
        type: list
        elements: str
        required: true
      files: {description: Configuration files in the directory., type: list, elements: str, required: true}
  timeout:
    description: Seconds that both imports may take.
    type: int
    default: 1800
"""

EXAMPLES = r"""
- name: Import the DAGs beside those that run
  flightdeck.airflow.dags_import:
    path: /var/lib/airflow/dags
    revision: 0123456789abcdef
    program: "{{ lookup('ansible.builtin.file', 'import_dags.py') }}"
"""

RETURN = r"""
imported:
  description: Whether anything was imported.
  type: bool
  returned: always
added:
  description: DAGs that the revision adds; C(removed) and C(changes) are those that it removes and changes.
  type: list
  elements: str
  returned: when imported
errors:
  description: Errors that the revision causes, by file. Those in C(known_errors) are there already.
  type: dict
  returned: when imported
lines:
  description: All of it as lines of text.
  type: list
  elements: str
  returned: when imported
files:
  description: DAG files of the revision that are to be read again.
  type: list
  elements: str
  returned: when imported
imported_files:
  description: How many DAG files the revision has.
  type: int
  returned: when imported
logs:
  description: Directory of the logs that DAG processors write, one for each DAG file.
  type: str
  returned: when imported
bundle:
  description: Name of the DAGs' bundle, which has a directory of its own among them; empty on Airflow 2.
  type: str
  returned: when imported
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _dags, _dags_import


def _import(module: AnsibleModule, revisions: _dags.Revisions, current: str) -> dict[str, object]:
    params = module.params
    code, unit, _error = module.run_command(["systemctl", "cat", params["unit"]])
    if code:
        return {"imported": False}
    settings = _dags_import.properties(unit)
    began = time.monotonic()
    place = os.path.join(revisions.directory, current)
    staged = os.path.join(revisions.directory, params["revision"])
    later, python = settings, params["python"]
    if after_switch := params["next"]:
        python = after_switch["python"]
        later = _dags_import.staged(settings, after_switch["directory"], after_switch["secrets"], after_switch["files"])
    processes = [
        _dags_import.start(_dags_import.command(*way, revisions.link, place, tree), params["program"])
        for way, tree in (((settings, params["python"]), place), ((later, python), staged))
    ]
    before, after = (
        _dags_import.result(process, params["timeout"] - (time.monotonic() - began)) for process in processes
    )
    old, new = _dags.manifest(place), _dags.manifest(staged)
    different = {path for path in new if new[path] != old.get(path)}
    found = _dags_import.compare(before, after)
    if after_switch:
        found["changed"] = []
    # Another file than one of a DAG may be what DAG files import.
    files = after["files"] if different - set(after["files"]) else sorted(different)
    return {
        "imported": True,
        "seconds": round(time.monotonic() - began, 1),
        **{word: found[word] for word in ("added", "removed", "errors", "known_errors")},
        "changes": found["changed"],
        "lines": _dags_import.lines(found, current, params["revision"]),
        "files": files,
        "imported_files": len(after["files"]),
        "logs": after["logs"],
        "bundle": after["bundle"],
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "revision": {"type": "str", "required": True},
            "program": {"type": "str", "required": True},
            "python": {"type": "path", "default": "/opt/airflow/current/bin/python"},
            "unit": {"type": "str", "default": "airflow-dag-processor.service"},
            "next": {
                "type": "dict",
                "options": {
                    "python": {"type": "path", "required": True},
                    "directory": {"type": "path", "required": True},
                    "secrets": {"type": "list", "elements": "str", "required": True, "no_log": False},
                    "files": {"type": "list", "elements": "str", "required": True},
                },
            },
            "timeout": {"type": "int", "default": 1800},
        },
        supports_check_mode=True,
    )
    revisions = _dags.Revisions(module.params["path"], "")
    current = revisions.current()
    same = current == module.params["revision"] and not module.params["next"]
    if not current or same or not revisions.has(module.params["revision"]):
        module.exit_json(changed=False, imported=False)
    try:
        found = _import(module, revisions, current)
    except _dags_import.ImportFailedError as error:
        module.fail_json(msg=f"the DAG files of revision {module.params['revision']} were not imported: {error}")
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
