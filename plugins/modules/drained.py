#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Mark a host as drained, or find out whether it is."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drained
short_description: Mark a host as drained, or find out whether it is
version_added: 0.2.0
description:
  - A host is drained when it has the file C(/etc/airflow/drained). Its units of Airflow then do not start, by no
    command and after no reboot. Units that run go on until they are stopped.
  - Sets the fact C(flightdeck_drained).
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.changes
options:
  state:
    description: V(read) only reads. A host that is drained keeps the time and the reason of the first time.
    type: str
    choices: [present, absent, read]
    default: read
  reason:
    description: Why the host is drained, for those who find it like that.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Mark the host as drained
  flightdeck.airflow.drained:
    state: present
    reason: a new disk
"""

RETURN = r"""
ansible_facts:
  description: The fact C(flightdeck_drained), C(since) when the host is drained and the C(reason), or nothing.
  type: dict
  returned: success
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _drained, _files


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent", "read"], "default": "read"},
            "reason": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    state, change = module.params["state"], _files.Change()
    try:
        record = _drained.read()
        if state == "present" and not record:
            record = {"since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "reason": module.params["reason"]}
            text = _drained.text(**record)
            change.add(_drained.PATH, "", text)
            if not module.check_mode:
                _files.write_text(_drained.PATH, text, 0, 0, 0o644)
        elif state == "absent" and record:
            record = {}
            change.add(_drained.PATH, _files.read_text(_drained.PATH) or "", "")
            if not module.check_mode:
                os.remove(_drained.PATH)
    except OSError as error:
        module.fail_json(msg=f"{_drained.PATH}: {error.strerror}")
    module.exit_json(changed=bool(change.paths), diff=change.diff, ansible_facts={"ansible_flightdeck_drained": record})


if __name__ == "__main__":
    main()
