#!/usr/bin/python
# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Install, start, stop and remove a systemd unit of a component."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unit
short_description: Manage a systemd unit of an Airflow component
version_added: 0.1.0
description:
  - Writes the unit file, enables and starts the unit, and removes sibling units that are no longer wanted, in one execution.
    Starts what is stopped; a running unit is never restarted here.
  - Reports a change also when the running process carries another digest than its unit file, so that a restart that an
    interrupted run still owes is notified again.
author: Flightdeck contributors (@flightdeck)
attributes:
  check_mode:
    support: full
    description: Reports what would change and changes nothing.
  diff_mode:
    support: full
    description: Shows unit file and state.
options:
  name:
    description: Unit name with its suffix.
    type: str
    required: true
  content:
    description: The whole unit file.
    type: str
    required: true
  siblings:
    description: Shell pattern of the unit names of the same component on this host.
    type: str
    required: true
  keep:
    description: Units that stay. Those that match O(siblings) and are not among them are stopped and removed.
    type: list
    elements: str
    required: true
  state:
    description: What the unit shall do.
    type: str
    choices: [started, stopped]
    default: started
"""

EXAMPLES = r"""
- name: Deploy the scheduler
  flightdeck.airflow.unit:
    name: airflow-scheduler.service
    content: "{{ lookup('ansible.builtin.template', 'etc/systemd/system/airflow.service.j2') }}"
    siblings: airflow-scheduler.service
    keep: [airflow-scheduler.service]
"""

RETURN = r"""
stale:
  description: Whether the process was started with an older digest.
  type: bool
  returned: always
"""

import fnmatch
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _files, _systemd


class Unit:
    """One run of the module."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.check = module.check_mode
        self.change = _files.Change()
        self.name: str = module.params["name"]
        self.content: str = module.params["content"]

    def systemctl(self, *arguments: str) -> None:
        """Run systemctl unless in check mode."""
        if self.check:
            return
        code, _out, err = self.module.run_command(["systemctl", *arguments])
        if code:
            self.module.fail_json(msg=f"systemctl {' '.join(arguments)} failed: {err.strip()}")

    def remove_siblings(self) -> None:
        """Stop and remove what is no longer wanted."""
        present = fnmatch.filter(os.listdir(_systemd.UNIT_DIR), self.module.params["siblings"])
        for name in sorted(set(present) - set(self.module.params["keep"])):
            self.systemctl("disable", "--now", name)
            _files.ensure_absent(os.path.join(_systemd.UNIT_DIR, name), self.change, check=self.check)

    def write(self) -> None:
        """Write the unit file."""
        path = os.path.join(_systemd.UNIT_DIR, self.name)
        before = _files.read_text(path)
        if before == self.content:
            return
        self.change.add(path, before or "", self.content)
        if not self.check:
            _files.write_text(path, self.content, 0, 0, 0o644)

    def run(self) -> bool:
        """Do everything; return whether the process is stale."""
        self.remove_siblings()
        self.write()
        shown = _systemd.show(self.module.run_command, [self.name], "ActiveState,MainPID,UnitFileState,NeedDaemonReload")[self.name]
        if self.change.paths or shown.get("NeedDaemonReload") == "yes":
            self.systemctl("daemon-reload")
        start = self.module.params["state"] == "started"
        if start and shown.get("UnitFileState") != "enabled":
            self.change.add(f"{self.name} at boot", "disabled\n", "enabled\n")
            self.systemctl("enable", "--quiet", self.name)
        running = shown.get("ActiveState") in ("active", "activating", "reloading")
        if running != start:
            self.change.add(f"{self.name} now", "running\n" if running else "stopped\n", "stopped\n" if running else "running\n")
            self.systemctl("start" if start else "stop", self.name)
        pid = int(shown.get("MainPID", 0)) if running and start else 0
        return bool(pid) and _systemd.digest_of_process(pid) != _systemd.digest_of_text(self.content)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "content": {"type": "str", "required": True},
            "siblings": {"type": "str", "required": True},
            "keep": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
        },
        supports_check_mode=True,
    )
    unit = Unit(module)
    try:
        stale = unit.run()
    except OSError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(unit.change.paths or stale), stale=stale, diff=unit.change.diff)


if __name__ == "__main__":
    main()
