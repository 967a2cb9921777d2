#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Let a running etcd cluster take in a member, or forget one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_member
short_description: Let a running etcd cluster take in a member, or forget one
version_added: 0.1.0
description:
  - Runs on a host with etcdctl and a certificate of the cluster, and asks a member that works. The data of no host are
    touched.
  - etcd itself refuses what would cost the cluster its majority. A member is taken in when all others have been
    connected for five seconds, so that of several hosts one joins after the other has started.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.changes
options:
  url:
    description: Where a member that works answers clients.
    type: str
    required: true
  name:
    description: Name of the member that joins or is forgotten.
    type: str
    required: true
  peer_url:
    description: Where that member answers its peers.
    type: str
    required: true
  state:
    description: Whether the cluster is to count on it.
    type: str
    choices: [present, absent]
    default: present
  timeout_seconds:
    description: Bound of the wait until the cluster takes it in.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Make this host, db3, a member of the cluster of db1
  flightdeck.airflow.etcd_member:
    url: https://192.0.2.31:2379
    name: db3
    peer_url: https://192.0.2.33:2380
"""

RETURN = r"""
initial_cluster:
  description: The value of C(ETCD_INITIAL_CLUSTER) with which the member has to start for the first time.
  type: str
  returned: always
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _etcd

POLL_SECONDS = 5.0


def members(module: AnsibleModule) -> list[_etcd.Member]:
    """The members as the one that is asked sees them."""
    code, out, err = module.run_command(_etcd.command(module.params["url"], "member", "list", "--write-out=json"))
    if code:
        refuse(module, err)
    try:
        return _etcd.members(out)
    except ValueError as error:
        refuse(module, str(error))
        raise


def refuse(module: AnsibleModule, said: str) -> None:
    """Fail with what etcdctl said; its log, which is JSON, says less."""
    errors = [line.removeprefix("Error: ") for line in said.splitlines() if line.startswith("Error: ")]
    found = errors[-1] if errors else said.strip() or "no answer"
    remedy = "Start those that are down, see journalctl -u etcd on their hosts, and run again."
    module.fail_json(msg=f"FD186 etcd: found {found}; expected most members up and connected. {remedy}")


def join(module: AnsibleModule) -> None:
    """Add the member, when the others are ready for it."""
    name, url = module.params["name"], module.params["peer_url"]
    add = _etcd.command(module.params["url"], "member", "add", name, f"--peer-urls={url}")
    deadline = time.monotonic() + module.params["timeout_seconds"]
    while True:
        code, _out, err = module.run_command(add)
        # The answer to one that was taken in may have been lost.
        if not code or _etcd.find(members(module), name, url):
            return
        if time.monotonic() > deadline:
            refuse(module, err)
        time.sleep(POLL_SECONDS)


def main() -> None:
    """Entry point."""
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "url": text,
            "name": text,
            "peer_url": text,
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "timeout_seconds": {"type": "int", "default": 600},
        },
        supports_check_mode=True,
    )
    name, url, wanted = module.params["name"], module.params["peer_url"], module.params["state"] == "present"
    if module.check_mode and not module.get_bin_path("etcdctl"):
        # The package would be there by now. Who the others are is unknown here, and nothing is written.
        module.exit_json(changed=True, initial_cluster="")
    before = members(module)
    member = _etcd.find(before, name, url)
    changed = wanted != bool(member)
    after = before
    if changed and module.check_mode:
        after = [each for each in before if each != member] + (
            [{"id": "", "name": name, "peer_urls": [url], "started": False}] if wanted else []
        )
    elif changed:
        if wanted:
            join(module)
        elif member:
            code, _out, err = module.run_command(_etcd.command(module.params["url"], "member", "remove", member["id"]))
            if code:
                refuse(module, err)
        after = members(module)
    shown = [_etcd.initial_cluster(listed, name) for listed in (before, after)]
    diff = dict(
        zip(
            ("before", "after"),
            ("".join(f"{entry}\n" for entry in sorted(text.split(","))) for text in shown),
            strict=True,
        )
    )
    module.exit_json(changed=changed, initial_cluster=shown[1], diff=diff)


if __name__ == "__main__":
    main()
