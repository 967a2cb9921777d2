#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Put a revision of the DAG files in place on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dags_tree
short_description: Ship a directory of DAG files to a host, in revisions that are switched atomically
version_added: 0.1.0
description:
  - Makes the content of O(path)C(/current) what O(source) on the controller holds, plus O(generated).
  - Every content has its own directory under O(path)C(/revisions), named by a digest of relative paths and contents;
    C(current) is a symbolic link to one of them, replaced atomically, so that no process ever sees half a deployment.
  - The controller reads the tree once per run. A host that has the revision already costs one module execution, and the
    archive is sent only to hosts that lack it.
  - Directories C(.git) and C(__pycache__) and files C(*.pyc) are left out. A symbolic link must point into the tree.
  - A file that does not differ from the one in the revision before keeps its time stamp, so that Airflow reads only
    what changed.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.changes
options:
  source:
    description: Absolute path of a directory on the controller. Empty for the generated files alone.
    type: str
    default: ""
  generated:
    description: Files to add, their contents by their path in the tree. A file of the same path in O(source) is an
      error.
    type: dict
    default: {}
  path:
    description: Directory on the host that holds C(revisions) and C(current).
    type: path
    required: true
  group:
    description: Group that may read it. Only the account of the task, which owns it, may write.
    type: str
    default: airflow
  keep:
    description: Number of revisions that stay on the host, the current one included.
    type: int
    default: 3
  state:
    description: C(current), or C(staged) to unpack the revision beside the current one and switch nothing.
    type: str
    choices: [current, staged]
    default: current
  origin:
    description: Where the files come from, such as the commit; M(flightdeck.airflow.node_info) shows it.
    type: dict
    default: {}
  target_python:
    description:
      - Version (C(major.minor)) of the Python that runs the DAGs. A file that does not compile stops the run when the
        controller's Python is at least as new; otherwise it is a warning, because the file may use newer syntax.
    type: str
    default: ""
  digest:
    description: Set by the action plugin.
    type: str
  archive:
    description: Set by the action plugin.
    type: path
  want_manifest:
    description: Set by the action plugin.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Ship the DAG files
  flightdeck.airflow.dags_tree:
    source: "{{ inventory_dir }}/../dags"
    path: /var/lib/airflow/dags
"""

RETURN = r"""
revision:
  description: Name of the revision that is, or in check mode would be, the current one.
  type: str
  returned: always
previous:
  description: Name of the revision that was the current one before; empty when there was none.
  type: str
  returned: always
pruned:
  description: Revisions that were removed.
  type: list
  elements: str
  returned: always
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _dags


def apply(module: AnsibleModule) -> dict[str, Any]:
    """What the task returns. Raises RevisionsError when the host cannot have the revision."""
    params = module.params
    if params["keep"] < 1:
        raise _dags.RevisionsError(f"keep is {params['keep']}: at least 1 revision, the current one, has to stay")
    revisions = _dags.Revisions(params["path"], params["group"])
    result = revisions.apply(
        params["digest"],
        archive=params["archive"],
        keep=params["keep"],
        check=module.check_mode,
        want_manifest=params["want_manifest"],
        stage=params["state"] == "staged",
    )
    if params["state"] == "current" and not result["missing"]:
        recorded = revisions.record(params["digest"], params["origin"], module.check_mode)
        result["changed"] = result["changed"] or recorded
    return result


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            # The first two are for the action plugin; they are listed because the action passes on what it was given.
            "source": {"type": "str", "default": ""},
            "generated": {"type": "dict", "default": {}},
            "path": {"type": "path", "required": True},
            "group": {"type": "str", "default": "airflow"},
            "keep": {"type": "int", "default": 3},
            "origin": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["current", "staged"], "default": "current"},
            "target_python": {"type": "str", "default": ""},
            "digest": {"type": "str"},
            "archive": {"type": "path"},
            "want_manifest": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    _dags.run(module, apply)


if __name__ == "__main__":
    main()
