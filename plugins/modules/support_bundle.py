#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Collect what explains the state of a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: support_bundle
short_description: Collect configuration, states and journals of a host, without secrets
version_added: 0.1.0
description:
  - Collects the configuration files and units that the roles write, what tools of the system say, and the journals of
    the services, and writes them into a directory on the controller.
  - Files that hold nothing but secrets are left out. In everything else, known secrets of the cluster and of the
    inventory are hidden on the controller before a file is written, and so is what has the form of a secret.
  - Changes nothing on the host. In check mode, it writes nothing on the controller either.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  dest:
    description: Directory on the controller. What comes from this host is in a directory of its name.
    type: path
    required: true
  hours:
    description: Age of the oldest lines of journals.
    type: int
    default: 24
  megabytes:
    description: Bound of what is collected from the host, in MiB. Of each journal the newest lines stay.
    type: int
    default: 20
"""

EXAMPLES = r"""
- name: Collect what explains the state of the host
  flightdeck.airflow.support_bundle:
    dest: /tmp/support
    hours: 4
"""

RETURN = r"""
files:
  description: How many files there are of this host.
  type: int
  returned: success
notes:
  description: What is missing, and why.
  type: list
  elements: str
  returned: success
"""

import base64
import json
import zlib

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _support


def main() -> None:
    """Entry point. The action plugin of the same name takes what is ``packed``: JSON, compressed."""
    module = AnsibleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "hours": {"type": "int", "default": 24},
            "megabytes": {"type": "int", "default": 20},
        },
        supports_check_mode=True,
    )
    found = _support.collect(module.params["megabytes"] * 1024**2, module.params["hours"])
    packed = base64.b64encode(zlib.compress(json.dumps(found.texts).encode())).decode()
    module.exit_json(changed=False, packed=packed, notes=found.notes)


if __name__ == "__main__":
    main()
