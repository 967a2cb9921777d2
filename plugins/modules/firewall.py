#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""The steps on a host of the action plugin firewall, and the documentation of both."""

from __future__ import annotations

DOCUMENTATION = r"""
module: firewall
short_description: Activate an nftables table without locking Ansible out
version_added: 0.1.0
description:
  - Replaces one table of nftables as a whole, in one transaction, and changes no other table. Nothing is done when the
    kernel has the rules already, as they were confirmed, and would have them after a reboot.
  - New rules are on trial. A timer of systemd restores the earlier rules after O(guard_seconds), unless Ansible has
    reached the host over a new connection until then. Only then the rules are kept for the next boot.
  - A host without the command C(nft) is not changed; see RV(installed).
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.changes
options:
  state:
    description: V(absent) removes the table, its file and its service, and does nothing on a host without them.
    type: str
    choices: [present, absent]
    default: present
  rules:
    description: What C(nft -f) loads. Required for O(state=present).
    type: str
  guard_seconds:
    description: Seconds until unconfirmed rules are replaced by the earlier ones.
    type: int
    default: 60
  confirm:
    description: V(false) leaves the rules on trial, to try them by hand. The earlier rules return after
      O(guard_seconds).
    type: bool
    default: true
  existing:
    description: Change rules only; a host that has no firewall of ours gets none.
    type: bool
    default: false
  step:
    description: Part of the work that one execution does. Set by the action.
    type: str
    choices: [compare, apply, confirm]
    default: compare
  active_digest:
    description: RV(active_digest) of the trial that is confirmed. Set by the action.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Admit only the clients of the services of this host
  flightdeck.airflow.firewall:
    rules: "{{ airflow_cluster.nodes[inventory_hostname].firewall | flightdeck.airflow.firewall_ruleset }}"
  register: __firewall
"""

RETURN = r"""
current:
  description: Whether the kernel has these rules and will have them after a reboot.
  type: bool
  returned: when the state is present
installed:
  description: Whether the host has the command C(nft).
  type: bool
  returned: always
existing:
  description: Whether the host has, or had, a firewall of ours.
  type: bool
  returned: always
active_digest:
  description: Digest of the table as the kernel shows it.
  type: str
  returned: when rules were activated
"""

import hashlib
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _files, _host

NFT = "/usr/sbin/nft"
FILE = _host.FIREWALL
# Digest of what the kernel shows after it has loaded the file: a rule that was removed by hand returns.
DIGEST = f"{FILE}.digest"
TRIAL = f"{FILE}.trial"
BEFORE = f"{FILE}.before"
UNIT = "flightdeck-firewall.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
GUARD = "flightdeck-firewall-guard"
UNIT_TEXT = """# Managed by Ansible
[Unit]
Description=Firewall of the Airflow cluster
DefaultDependencies=no
Wants=network-pre.target
# Debian's service removes all tables when it starts, reloads or stops: ours comes after it at boot, and back with it.
After=nftables.service
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
# However often Debian's service restarts, this one comes back.
StartLimitIntervalSec=0

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={nft} -f {file}
ExecReload={nft} -f {file}
ExecStop=-{nft} delete table inet {table}

[Install]
WantedBy=sysinit.target nftables.service
"""


class Firewall:
    """The firewall of this host."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.rules: str = module.params["rules"] or ""
        self.unit_text = UNIT_TEXT.format(nft=NFT, file=FILE, table=_host.FIREWALL_TABLE)
        self.installed = os.path.exists(NFT)
        self.existing = os.path.exists(FILE) or os.path.exists(UNIT_FILE)

    def run(self, *command: str, fail: bool = True) -> bool:
        """Whether the command succeeded."""
        code, out, err = self.module.run_command(list(command))
        if code and fail:
            self.module.fail_json(msg=f"{' '.join(command)} failed: {(err or out).strip()}")
        return not code

    def listing(self) -> str:
        """The table as the kernel has it, without counters; empty when there is none."""
        if not self.installed:
            return ""
        # Numbers only: names of protocols come from a file that another package may bring later.
        code, out, _err = self.module.run_command(
            [NFT, "--stateless", "--numeric", "list", "table", "inet", _host.FIREWALL_TABLE]
        )
        return "" if code else out

    def active_digest(self) -> str:
        """Digest of the table as the kernel has it, empty when there is none."""
        listed = self.listing()
        return hashlib.sha256(listed.encode()).hexdigest() if listed else ""

    def current(self) -> bool:
        """Whether the kernel has these very rules, and the next boot will have them."""
        if _files.read_text(FILE) != self.rules or _files.read_text(UNIT_FILE) != self.unit_text:
            return False
        enabled = os.path.islink(f"/etc/systemd/system/sysinit.target.wants/{UNIT}")
        return enabled and (_files.read_text(DIGEST) or "").strip() == (self.active_digest() or None)

    def diff(self) -> dict[str, str]:
        """The rules, or what is wrong with them when their text is the same."""
        before = _files.read_text(FILE) or ""
        if before == self.rules:
            return {
                "before": "not active as written, or not stored for the next boot\n",
                "after": "active and stored\n",
            }
        return {"before": before, "after": self.rules, "before_header": FILE, "after_header": FILE}

    def apply(self) -> None:
        """Activate the rules, with a timer that restores the earlier ones."""
        _files.write_text(TRIAL, self.rules, 0, 0, 0o600)
        self.run(NFT, "--check", "--file", TRIAL)
        # The timer restores the active rules. While it runs, these are the unconfirmed rules of an interrupted run.
        if not (os.path.exists(BEFORE) and self.run("systemctl", "is-active", "--quiet", f"{GUARD}.timer", fail=False)):
            undo = f"table inet {_host.FIREWALL_TABLE} {{}}\ndelete table inet {_host.FIREWALL_TABLE}\n"
            _files.write_text(BEFORE, undo + self.listing(), 0, 0, 0o600)
        self.disarm()
        seconds = str(self.module.params["guard_seconds"])
        timer = ("--quiet", f"--unit={GUARD}", f"--on-active={seconds}", "--timer-property=AccuracySec=1s")
        self.run("systemd-run", *timer, NFT, "--file", BEFORE)
        self.run(NFT, "--file", TRIAL)

    def disarm(self) -> None:
        """Stop the timer of this or of an earlier, interrupted run."""
        self.run("systemctl", "stop", f"{GUARD}.timer", fail=False)
        self.run("systemctl", "reset-failed", f"{GUARD}.timer", f"{GUARD}.service", fail=False)

    def confirm(self) -> None:
        """Store the rules: Ansible has reached the host under them."""
        self.disarm()
        found = self.active_digest()
        if found != self.module.params["active_digest"]:
            self.module.fail_json(
                msg="The new rules are not active any more: their trial ended before Ansible reconnected, and the "
                "earlier rules "
                "admitted it. Nothing was stored. Check airflow_firewall_ssh_ports and "
                "airflow_firewall_ssh_sources, or raise "
                "airflow_firewall_guard_seconds."
            )
        _files.write_text(FILE, self.rules, 0, 0, 0o600)
        _files.write_text(DIGEST, f"{found}\n", 0, 0, 0o600)
        _files.write_text(UNIT_FILE, self.unit_text, 0, 0, 0o644)
        self.run("systemctl", "daemon-reload")
        self.run("systemctl", "reenable", "--quiet", UNIT)
        # For systemd it has been started, so that stopping it opens the ports.
        self.run("systemctl", "start", UNIT)
        self.remove(TRIAL, BEFORE)

    def remove_firewall(self) -> None:
        """Open the host again."""
        self.disarm()
        self.run("systemctl", "disable", "--quiet", "--now", UNIT, fail=False)
        if self.listing():
            self.run(NFT, "delete", "table", "inet", _host.FIREWALL_TABLE)
        self.remove(FILE, DIGEST, TRIAL, BEFORE, UNIT_FILE)
        self.run("systemctl", "daemon-reload")

    @staticmethod
    def remove(*paths: str) -> None:
        """Remove the files that exist."""
        for path in paths:
            if os.path.exists(path):
                os.unlink(path)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "rules": {"type": "str"},
            "guard_seconds": {"type": "int", "default": 60},
            "confirm": {"type": "bool", "default": True},
            "existing": {"type": "bool", "default": False},
            "step": {"type": "str", "choices": ["compare", "apply", "confirm"], "default": "compare"},
            "active_digest": {"type": "str", "default": ""},
        },
        required_if=[("state", "present", ["rules"])],
        supports_check_mode=True,
    )
    firewall = Firewall(module)
    facts = {"installed": firewall.installed, "existing": firewall.existing}
    try:
        if module.params["state"] == "absent":
            if firewall.existing and not module.check_mode:
                firewall.remove_firewall()
            diff = {"before": f"{FILE}\n", "after": ""} if firewall.existing else {}
            module.exit_json(changed=firewall.existing, diff=diff, **facts)
        if module.params["step"] == "compare":
            current = firewall.current()
            wanted = firewall.existing or not module.params["existing"]
            # In check mode it stands for the steps that are not taken.
            changed = module.check_mode and wanted and not current
            module.exit_json(
                changed=changed, current=current, diff=firewall.diff() if wanted and not current else {}, **facts
            )
        if not module.check_mode:
            (firewall.apply if module.params["step"] == "apply" else firewall.confirm)()
    except OSError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=True, active_digest=firewall.active_digest(), current=module.params["step"] == "confirm", **facts
    )


if __name__ == "__main__":
    main()
