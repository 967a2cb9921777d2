#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Check whether a host can read DAG bundles before Airflow's processes get them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dag_bundles
short_description: Check whether a host can read DAG bundles before Airflow's processes get them
version_added: 0.1.0
description:
  - Asks each repository, directory and bucket, with the packages of the release, as Airflow's account, and with the
    connection that the processes will have. Airflow itself starts with a bundle that it cannot read, and then every
    task of it fails.
  - What was found to be right is not asked again, until it changes.
  - Must run with the Python of the release (C(ansible_python_interpreter)).
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.changes
options:
  bundles:
    description: The bundles, each with C(name), C(kind), C(kwargs) of its class, and the C(variable) of its connection.
    type: list
    elements: dict
    required: true
  variables:
    description: Variables of the environment with the connections.
    type: dict
    default: {}
  files:
    description: Contents of files of the host by path, which need not be there yet.
    type: dict
    default: {}
  version:
    description: Fingerprint of all of these.
    type: str
    required: true
  record:
    description: File that keeps the fingerprint of what was found to be right.
    type: path
    default: /etc/airflow/dag_bundles
  user:
    description: Account of the services.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Check the DAG bundles
  flightdeck.airflow.dag_bundles:
    bundles: "{{ __airflow_node.dag_bundles }}"
    version: "{{ __airflow_node.dag_bundles | to_json | hash }}"
    user: airflow
  vars:
    ansible_python_interpreter: /opt/airflow/current/bin/python
"""

RETURN = r"""
problems:
  description: What is wrong, by the name of the bundle.
  type: dict
  returned: success
ansible_facts:
  description: The fact C(flightdeck_unreadable_bundles), names of the bundles that the host cannot read.
  type: dict
  returned: success
"""

import inspect
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _dag_bundles

# What all bundles together may take.
SECONDS = 300


def run(
    bundles: Sequence[Mapping[str, Any]], variables: Mapping[str, str], files: Mapping[str, str], user: str
) -> dict[str, str]:
    """What is wrong by the name of the bundle. Raises RuntimeError when the program gives no answer."""
    account = pwd.getpwnam(user)
    with tempfile.TemporaryDirectory() as folder:
        # Airflow's own configuration is not there before a first deployment.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
        environment |= {"AIRFLOW_HOME": folder, "HOME": folder, "AIRFLOW_CONFIG": f"{folder}/airflow.cfg"}
        given = {"bundles": bundles, "variables": dict(variables)}
        text = json.dumps(given)
        for number, (path, content) in enumerate(files.items()):
            place = Path(folder, f"file{number}")
            place.touch(0o600)
            place.write_text(content, encoding="utf-8")
            text = text.replace(path, str(place))
            environment = {name: value.replace(path, str(place)) for name, value in environment.items()}
        for place in (Path(folder), *Path(folder).iterdir()):
            os.chown(place, account.pw_uid, account.pw_gid)
        try:
            done = subprocess.run(
                [sys.executable, "-c", f"{inspect.getsource(_dag_bundles)}"],
                input=text,
                capture_output=True,
                text=True,
                check=False,
                user=user,
                group=user,
                extra_groups=os.getgrouplist(user, account.pw_gid),
                cwd=folder,
                env=environment,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"no answer within {SECONDS} s") from error
    answer = re.search(rf"^{_dag_bundles.MARK}(.*)$", done.stdout, re.MULTILINE)
    if not answer:
        raise RuntimeError(" / ".join(done.stderr.strip().splitlines()[-3:]) or f"code {done.returncode}")
    return dict(json.loads(answer[1]))


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "bundles": {"type": "list", "elements": "dict", "required": True},
            "variables": {"type": "dict", "default": {}, "no_log": True},
            "files": {"type": "dict", "default": {}},
            "version": {"type": "str", "required": True},
            "record": {"type": "path", "default": "/etc/airflow/dag_bundles"},
            "user": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    params: dict[str, Any] = module.params
    facts: dict[str, list[str]] = {"flightdeck_unreadable_bundles": []}
    record = Path(params["record"])
    known = record.read_text(encoding="utf-8") if record.is_file() else ""
    if known == params["version"]:
        module.exit_json(changed=False, problems={}, ansible_facts=facts)
    # In check mode, what a first run installs may be missing.
    unfit = {"git"} if module.check_mode and not shutil.which("git") else set()
    tried = [each for each in params["bundles"] if each["kind"] not in unfit]
    try:
        problems = run(tried, params["variables"], params["files"], params["user"])
    except RuntimeError as error:
        module.fail_json(msg=f"the DAG bundles were not checked: {error}")
    if not problems and not module.check_mode:
        # Before a first deployment, its directory may be missing.
        record.parent.mkdir(mode=0o755, exist_ok=True)
        record.touch(0o600)
        record.write_text(params["version"], encoding="utf-8")
    facts = {"flightdeck_unreadable_bundles": sorted(problems)}
    module.exit_json(changed=not problems, problems=problems, ansible_facts=facts)


if __name__ == "__main__":
    main()
