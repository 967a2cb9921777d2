#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Check a webserver_config.py before Airflow's webserver gets it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: webserver_config
short_description: Check a webserver_config.py before Airflow's webserver gets it
version_added: 0.1.0
description:
  - Runs the file as the webserver would, and checks what it says about logins. Airflow takes every name in silence,
    so that a misspelt one would be without effect, and after a mistake in a value no user can log in.
  - Asks the directory or the OpenID provider that the file names, as the webserver will. One that cannot be reached is
    in RV(unanswered), one that answers and refuses is an error.
  - A file that the host has already, with the same secrets, is not checked again.
  - Must run with the Python of the release (C(ansible_python_interpreter)). Writes nothing.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  content:
    description: Content of the file.
    type: str
    required: true
  secrets:
    description: Contents of files below C(/etc/airflow/secrets) by name, which the file may read.
    type: dict
    default: {}
  path:
    description: The file that the host may have already.
    type: path
    default: /etc/airflow/webserver_config.py
  again:
    description: Whether to check what was checked before, because the release is another.
    type: bool
    default: false
  user:
    description: Account of the services, as which the file runs.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Check webserver_config.py
  flightdeck.airflow.webserver_config:
    content: "{{ lookup('ansible.builtin.template', 'webserver_config.py.j2') }}"
    user: airflow
  vars:
    ansible_python_interpreter: /opt/airflow/current/bin/python
"""

RETURN = r"""
checked:
  description: Whether the file was checked.
  type: bool
  returned: success
unanswered:
  description: A warning for each server that does not answer.
  type: list
  elements: str
  returned: success
"""

import inspect
import json
import os
import pwd
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _login

SECRETS = "/etc/airflow/secrets"
# What the file and a server that does not answer may take.
SECONDS = 120


def is_there(path: Path, content: str, secrets: Mapping[str, str], directory: str = SECRETS) -> bool:
    """Whether the host has the file at ``path`` with this ``content``, and the ``secrets``."""
    wanted = {path: content, **{Path(directory, name): text for name, text in secrets.items()}}
    try:
        return all(place.read_text(encoding="utf-8") == each for place, each in wanted.items())
    except (OSError, UnicodeDecodeError):
        return False


def run(content: str, secrets: Mapping[str, str], user: str) -> dict[str, list[str]]:
    """Problems and warnings of the file, which runs as ``user`` and sees the ``secrets`` in the place of the host's.

    Raises RuntimeError when it ends its process, and TimeoutExpired.
    """
    account = pwd.getpwnam(user)
    with tempfile.TemporaryDirectory() as folder:
        names = {"webserver_config.py": content.replace(SECRETS, f"{folder}/secrets")}
        names |= {f"secrets/{name}": text for name, text in secrets.items()}
        os.mkdir(f"{folder}/secrets", 0o700)
        for name, text in names.items():
            Path(folder, name).touch(0o600)
            Path(folder, name).write_text(text, encoding="utf-8")
        for path in (folder, *(f"{folder}/{name}" for name in ("secrets", *names))):
            os.chown(path, account.pw_uid, account.pw_gid)
        # Airflow's own configuration is not there before a first deployment: the file must not need it.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
        environment |= {"AIRFLOW_HOME": folder, "HOME": folder, "AIRFLOW_CONFIG": f"{folder}/airflow.cfg"}
        environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{folder}/airflow.db"
        done = subprocess.run(
            [sys.executable, "-c", f"{inspect.getsource(_login)}\nmain()\n", folder],
            capture_output=True,
            text=True,
            check=False,
            user=user,
            group=user,
            extra_groups=[],
            cwd=folder,
            env=environment,
            timeout=SECONDS,
        )
    answer = re.search(rf"^{_login.MARK}(.*)$", done.stdout, re.MULTILINE)
    if not answer:
        said = (done.stdout + done.stderr).strip().splitlines()[-3:]
        raise RuntimeError(" / ".join(said) or f"code {done.returncode}")
    return dict(json.loads(answer[1]))


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "content": {"type": "str", "required": True, "no_log": True},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "path": {"type": "path", "default": "/etc/airflow/webserver_config.py"},
            "again": {"type": "bool", "default": False},
            "user": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    content, secrets = module.params["content"], module.params["secrets"]
    if not module.params["again"] and is_there(Path(module.params["path"]), content, secrets):
        module.exit_json(changed=False, checked=False, unanswered=[])
    try:
        found = run(content, secrets, module.params["user"])
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        expected = "a file that Airflow can read. Correct it; nothing was restarted"
        text = f"FD315 webserver_config.py: found one that ends its process ({error}); expected {expected}."
        found = {"problems": [text], "warnings": []}
    if found["problems"]:
        module.fail_json(msg="\n".join(found["problems"]))
    module.exit_json(changed=False, checked=True, unanswered=found["warnings"])


if __name__ == "__main__":
    main()
