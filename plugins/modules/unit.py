#!/usr/bin/python
# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Install, start, stop and remove the systemd units of a component."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unit
short_description: Manage the systemd units of an Airflow component
version_added: 0.1.0
description:
  - Writes the unit file, enables and starts the unit, and removes sibling units that are no longer wanted, in one execution.
    Starts what is stopped; a running unit is never restarted here.
  - Without O(content) it starts, stops or removes the units that are on the host, and leaves their files as they are.
  - A unit that is stopped here does not start at boot either.
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
    description: Name, with its suffix, of the unit to write.
    type: str
  content:
    description: The whole unit file. Left out, what is on the host is managed.
    type: str
  siblings:
    description: Names, or shell patterns of names, of the units of the same component on this host.
    type: list
    elements: str
    required: true
  keep:
    description: Units that stay when O(content) is written. Those that match O(siblings) and are not among them are stopped and removed.
    type: list
    elements: str
    default: []
  state:
    description: What the unit shall do; V(absent) stops and removes all that match O(siblings), and V(started) needs one that does.
    type: str
    choices: [started, stopped, absent]
    default: started
"""

EXAMPLES = r"""
- name: Deploy the scheduler
  flightdeck.airflow.unit:
    name: airflow-scheduler.service
    content: "{{ lookup('ansible.builtin.template', 'etc/systemd/system/airflow.service.j2') }}"
    siblings: [airflow-scheduler.service]
    keep: [airflow-scheduler.service]

- name: Stop the workers
  flightdeck.airflow.unit:
    siblings: ["airflow-worker@*.service"]
    state: stopped
"""

RETURN = r"""
stale:
  description: Whether a process was started with an older digest.
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
        self.content: str | None = module.params["content"]
        self.state: str = module.params["state"]

    def systemctl(self, *arguments: str) -> None:
        """Run systemctl unless in check mode."""
        if self.check:
            return
        code, _out, err = self.module.run_command(["systemctl", *arguments])
        if code:
            self.module.fail_json(msg=f"systemctl {' '.join(arguments)} failed: {err.strip()}")

    def present(self) -> list[str]:
        """The siblings that have a unit file."""
        names = os.listdir(_systemd.UNIT_DIR)
        return sorted({name for pattern in self.module.params["siblings"] for name in fnmatch.filter(names, pattern)})

    def remove(self, names: list[str]) -> None:
        """Stop and remove units: all at once, because each may take its time."""
        if names:
            self.systemctl("disable", "--now", *names)
        for name in names:
            _files.ensure_absent(os.path.join(_systemd.UNIT_DIR, name), self.change, check=self.check)

    def write(self, content: str) -> None:
        """Write the unit file."""
        path = os.path.join(_systemd.UNIT_DIR, self.name)
        before = _files.read_text(path)
        if before == content:
            return
        self.change.add(path, before or "", content)
        if not self.check:
            _files.write_text(path, content, 0, 0, 0o644)

    def managed(self) -> list[str]:
        """The units that shall run or not, once their files are as wanted."""
        present = self.present()
        if self.state == "absent":
            self.remove(present)
            return []
        if self.content is not None:
            self.remove([name for name in present if name not in self.module.params["keep"]])
            self.write(self.content)
            return [self.name]
        if self.state == "started" and not present:
            siblings = ", ".join(self.module.params["siblings"])
            self.module.fail_json(msg=f"{siblings}: found no such unit; expected a host that was deployed. Run site.yml.")
        return present

    def switch(self, shown: dict[str, dict[str, str]]) -> None:
        """Start or stop the units, now and at boot; ``shown`` is what systemd says about them."""
        start = self.state == "started"
        boot = [name for name in shown if (shown[name].get("UnitFileState") == "enabled") != start]
        # One that drains still is waited for, as if it had not been told before.
        now = [name for name in shown if (not running(shown[name]) if start else not ended(shown[name]))]
        for when, names in (("at boot", boot), ("now", now)):
            before, after = ("stopped\n", "running\n") if start else ("running\n", "stopped\n")
            for name in names:
                self.change.add(f"{name} {when}", before, after)
        # What shall not run is kept from it before it stops: that may take as long as a drain, and the host may go down meanwhile.
        if boot:
            self.systemctl("enable" if start else "disable", "--quiet", *boot)
        if now:
            self.systemctl("start" if start else "stop", *now)

    def stale(self, name: str, shown: dict[str, str]) -> bool:
        """Whether the process was running before and has another digest than its unit file."""
        pid = int(shown.get("MainPID", 0)) if running(shown) else 0
        content = self.content
        if content is None:
            content = _files.read_text(os.path.join(_systemd.UNIT_DIR, name)) or ""
        return bool(pid) and _systemd.digest_of_process(pid) != _systemd.digest_of_text(content)

    def run(self) -> bool:
        """Do everything; return whether a process is stale."""
        names = self.managed()
        shown = _systemd.show(self.module.run_command, names, "ActiveState,MainPID,UnitFileState,NeedDaemonReload")
        if self.change.paths or any(unit.get("NeedDaemonReload") == "yes" for unit in shown.values()):
            self.systemctl("daemon-reload")
        self.switch(shown)
        return self.state == "started" and any(self.stale(name, unit) for name, unit in shown.items())


def running(shown: dict[str, str]) -> bool:
    """Whether systemd says that a unit runs or is about to."""
    return shown.get("ActiveState") in ("active", "activating", "reloading")


def ended(shown: dict[str, str]) -> bool:
    """Whether systemd says that nothing of a unit runs any more."""
    return shown.get("ActiveState") in ("inactive", "failed")


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str"},
            "content": {"type": "str"},
            "siblings": {"type": "list", "elements": "str", "required": True},
            "keep": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["started", "stopped", "absent"], "default": "started"},
        },
        required_by={"content": ["name"]},
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
