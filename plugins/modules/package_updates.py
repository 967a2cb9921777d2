#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""What apt would update on a host, and what an update has left to do."""

from __future__ import annotations

DOCUMENTATION = r"""
module: package_updates
short_description: What apt would update on a host
version_added: 0.2.0
description:
  - Returns which packages C(apt-get) would update, by C(apt-get --simulate) with the lists of packages that are on the
    host, and what an update has left to do - packages that are unpacked only, processes that run files which are not on
    the disk any more, and a reboot.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  patterns:
    description: Shell patterns of the names of the packages. Those of them that the host has count.
    type: list
    elements: str
    default: []
  everything:
    description: Whether all packages of the host count, and whether it has to boot.
    type: bool
    default: false
  units:
    description: Shell patterns of the units whose processes are inspected.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Find what apt would update of RabbitMQ
  flightdeck.airflow.package_updates:
    patterns: [rabbitmq-server, erlang-*]
    units: [rabbitmq-server.service]
  register: updates
"""

RETURN = r"""
updates:
  description: What there is to do.
  type: dict
  returned: always
  contains:
    upgrades: {description: "Packages, each with name, before and after, which are versions.", type: list,
    elements: dict}
    installs: {description: New packages that these need., type: list, elements: str}
    removes: {description: Packages that would go., type: list, elements: str}
    kept: {description: Packages that apt keeps back., type: list, elements: str}
    installed: {description: Version of each package that counts., type: dict}
    unfinished: {description: "C(dpkg), when packages are unpacked and not configured.", type: list, elements: str}
    outdated: {description: "Replaced files that processes run, by unit.", type: dict}
    reboot: {description: Why the host has to boot; empty when it has not., type: str}
reloaded:
  description: Units whose main process executes its new program in a reload.
  type: list
  elements: str
  returned: always
starts:
  description: What tells one start of a running unit from another one, by unit.
  type: dict
  returned: always
"""

import fnmatch
import platform

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _apt, _host


def main() -> None:
    """Entry point."""
    texts = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={"patterns": texts, "everything": {"type": "bool", "default": False}, "units": texts},
        supports_check_mode=True,
    )
    module.run_command_environ_update = {"LC_ALL": "C", "LANGUAGE": "C"}
    wanted, everything, units = (module.params[name] for name in ("patterns", "everything", "units"))
    versions = {
        name: version
        for name, version in _apt.installed_versions(_host.read("/var/lib/dpkg/status")).items()
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in wanted)
    }
    try:
        interrupted = _apt.interrupted(module.run_command)
        updates = {
            **_apt.simulate(module.run_command, None if everything else sorted(versions), interrupted=interrupted),
            "installed": versions,
            "unfinished": ["dpkg"] if interrupted else [],
            "outdated": _apt.outdated(units),
            "reboot": _apt.reboot_reason(platform.release(), _apt.kernels(), _host.container()) if everything else "",
        }
        starts = _apt.starts(module.run_command, units)
        module.exit_json(changed=False, updates=updates, starts=starts, reloaded=sorted(_apt.RELOADED))
    except OSError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
