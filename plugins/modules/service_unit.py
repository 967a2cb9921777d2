#!/usr/bin/python
# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Run a systemd unit with the settings that are on disk."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_unit
short_description: Run a systemd unit with the settings that are on disk
version_added: 0.1.0
description:
  - Enables and starts a unit, and reloads or restarts it when one of its files is newer than the running process.
  - It compares states instead of waiting for a notification, so a restart that was lost to an interrupted run happens in the next one.
  - Reads new unit files and drop-ins (C(systemctl daemon-reload)) when systemd says that they changed.
author: Flightdeck contributors (@flightdeck)
attributes:
  check_mode:
    support: full
    description: Reports the actions and takes none. A unit that is not installed yet counts as one to start.
  diff_mode:
    support: full
    description: Shows the actions and the files that cause them.
options:
  name:
    description: Full name of the unit.
    type: str
    required: true
  restart_on:
    description: Files whose change takes a restart.
    type: list
    elements: path
    default: []
  reload_on:
    description: Files whose change takes a reload.
    type: list
    elements: path
    default: []
  force_restart:
    description: Restart even when no file asks for it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Run HAProxy
  flightdeck.airflow.service_unit:
    name: haproxy.service
    reload_on: [/etc/haproxy/haproxy.cfg]
"""

RETURN = r"""
actions:
  description: What was, or in check mode would be, done to the unit.
  type: list
  elements: str
  returned: always
  sample: [enable, start]
causes:
  description: The files that are newer than the running process.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _service_state


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "restart_on": {"type": "list", "elements": "path", "default": []},
            "reload_on": {"type": "list", "elements": "path", "default": []},
            "force_restart": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    name = module.params["name"]

    def systemctl(*arguments: str) -> None:
        code, out, err = module.run_command(["systemctl", *arguments, name])
        if code:
            _, journal, _ = module.run_command(["journalctl", "--unit", name, "--lines", "20", "--no-pager", "--output", "cat"])
            module.fail_json(msg=f"systemctl {' '.join(arguments)} {name} failed: {(err or out).strip()}\n{journal.strip()}")

    def state() -> _service_state.Unit:
        return _service_state.parse(module.run_command(_service_state.show_command(name), check_rc=True)[1])

    unit = state()
    actions: list[str] = []
    causes: list[str] = []
    if unit.stale_definition:
        actions.append("daemon-reload")
        if not module.check_mode:
            module.run_command(["systemctl", "daemon-reload"], check_rc=True)
            unit = state()
    if not unit.found and not module.check_mode:
        module.fail_json(msg=f"systemd does not know {name}; is its package installed?")
    if not unit.enabled:
        actions.append("enable")
    if not unit.active:
        actions.append("start")
    else:
        causes = _service_state.newer(_service_state.modified(module.params["restart_on"]), unit.started_at)
        if causes or module.params["force_restart"]:
            actions.append("restart")
        else:
            causes = _service_state.newer(_service_state.modified(module.params["reload_on"]), unit.state_changed_at)
            actions += ["reload"] if causes else []
    if not module.check_mode:
        for action in actions:
            if action == "start" and unit.failed:
                systemctl("reset-failed")
            if action != "daemon-reload":
                systemctl(action)
        if actions and not state().active:
            module.fail_json(msg=f"{name} does not run although systemctl {actions[-1]} succeeded", actions=actions)
    diff = {"before": "", "after": "".join(f"{action} {name}\n" for action in actions), "after_header": ", ".join(causes)}
    module.exit_json(changed=bool(actions), actions=actions, causes=causes, diff=diff)


if __name__ == "__main__":
    main()
