#!/usr/bin/python
# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Put nftables rules into force without locking anybody out."""

from __future__ import annotations

DOCUMENTATION = r"""
module: firewall
short_description: Put an nftables table into force without locking anybody out
version_added: 0.1.0
description:
  - Replaces one table of nftables as a whole, in one transaction, and leaves all other tables alone.
  - O(state=applied) puts the rules into force on trial. A timer of systemd brings the earlier rules back after O(guard_seconds), unless a
    second execution, over a connection that was made under the new rules, says O(state=confirmed), which keeps them over a reboot.
author: Flightdeck contributors (@flightdeck)
attributes:
  check_mode:
    support: full
    description: Reports the change and makes none.
  diff_mode:
    support: full
    description: Shows the rules.
options:
  state:
    description:
      - V(compared) reports whether the kernel has the rules, and whether they would survive a reboot, and changes nothing.
      - V(applied) and V(confirmed) are the two steps of a change.
    type: str
    choices: [compared, applied, confirmed]
    required: true
  rules:
    description: What C(nft -f) loads.
    type: str
    required: true
  table:
    description: Name of the table, of the family C(inet).
    type: str
    default: flightdeck
  guard_seconds:
    description: Seconds until rules that nobody confirmed are taken back.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Compare the firewall
  flightdeck.airflow.firewall:
    state: compared
    rules: "{{ airflow_cluster.nodes[inventory_hostname].firewall | flightdeck.airflow.firewall_ruleset }}"
  register: __firewall
"""

RETURN = r"""
current:
  description: Whether the kernel has these rules and will have them after a reboot.
  type: bool
  returned: always
"""

import os
import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _files

FILE = "/etc/flightdeck/firewall.nft"
TRIAL = "/etc/flightdeck/firewall.nft.trial"
BEFORE = "/etc/flightdeck/firewall.nft.before"
UNIT = "flightdeck-firewall.service"
GUARD = "flightdeck-firewall-guard"
UNIT_TEXT = """# Managed by Ansible
[Unit]
Description=Firewall of the Airflow cluster
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f {file}
ExecStop=/usr/sbin/nft delete table inet {table}

[Install]
WantedBy=sysinit.target
"""


class Firewall:
    """One run of the module."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.rules: str = module.params["rules"]
        self.table: str = module.params["table"]
        self.unit_text = UNIT_TEXT.format(file=FILE, table=self.table)

    def run(self, *command: str, fail: bool = True) -> bool:
        """Whether the command succeeded."""
        code, out, err = self.module.run_command(list(command))
        if code and fail:
            self.module.fail_json(msg=f"{' '.join(command)} failed: {(err or out).strip()}")
        return not code

    def present(self) -> bool:
        """Whether the kernel has the table."""
        return os.path.exists("/usr/sbin/nft") and self.run("/usr/sbin/nft", "list", "table", "inet", self.table, fail=False)

    def current(self) -> bool:
        """Whether the kernel has these very rules, and the next boot will have them."""
        found = re.search(r"chain (digest_\w+)", self.rules)
        if not found or _files.read_text(FILE) != self.rules or _files.read_text(f"/etc/systemd/system/{UNIT}") != self.unit_text:
            return False
        chain = ("/usr/sbin/nft", "list", "chain", "inet", self.table, found.group(1))
        enabled = os.path.islink(f"/etc/systemd/system/sysinit.target.wants/{UNIT}")
        return enabled and os.path.exists("/usr/sbin/nft") and self.run(*chain, fail=False)

    def apply(self) -> None:
        """Put the rules into force, with a timer that takes them back."""
        os.makedirs(os.path.dirname(FILE), exist_ok=True)
        _files.write_text(TRIAL, self.rules, 0, 0, 0o600)
        self.run("/usr/sbin/nft", "--check", "--file", TRIAL)
        # What is in force now, table and all, is what the timer brings back.
        undo = f"table inet {self.table} {{}}\ndelete table inet {self.table}\n"
        if self.present():
            _code, listed, _err = self.module.run_command(["/usr/sbin/nft", "list", "table", "inet", self.table], check_rc=True)
            undo += listed
        _files.write_text(BEFORE, undo, 0, 0, 0o600)
        self.disarm()
        seconds = str(self.module.params["guard_seconds"])
        self.run(
            "systemd-run",
            "--quiet",
            f"--unit={GUARD}",
            f"--on-active={seconds}",
            "--timer-property=AccuracySec=1s",
            "/usr/sbin/nft",
            "--file",
            BEFORE,
        )
        self.run("/usr/sbin/nft", "--file", TRIAL)

    def disarm(self) -> None:
        """Stop the timer of this or of an earlier, interrupted run."""
        self.run("systemctl", "stop", f"{GUARD}.timer", fail=False)
        self.run("systemctl", "reset-failed", f"{GUARD}.timer", f"{GUARD}.service", fail=False)

    def confirm(self) -> None:
        """Keep the rules: Ansible is here, so nobody is locked out."""
        self.disarm()
        _files.write_text(FILE, self.rules, 0, 0, 0o600)
        _files.write_text(f"/etc/systemd/system/{UNIT}", self.unit_text, 0, 0, 0o644)
        self.run("systemctl", "daemon-reload")
        self.run("systemctl", "enable", "--quiet", UNIT)
        # For systemd it has been started, so that stopping it opens the ports.
        self.run("systemctl", "start", UNIT)
        for path in (TRIAL, BEFORE):
            if os.path.exists(path):
                os.unlink(path)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["compared", "applied", "confirmed"], "required": True},
            "rules": {"type": "str", "required": True},
            "table": {"type": "str", "default": "flightdeck"},
            "guard_seconds": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    firewall = Firewall(module)
    state = module.params["state"]
    before = _files.read_text(FILE) or ""
    current = firewall.current()
    if state == "compared":
        # In check mode it stands for the steps that are not taken.
        changed = module.check_mode and not current
        module.exit_json(changed=changed, current=current, diff={"before": before, "after": firewall.rules} if not current else {})
    if not module.check_mode:
        (firewall.apply if state == "applied" else firewall.confirm)()
    module.exit_json(changed=True, current=state == "confirmed")


if __name__ == "__main__":
    main()
