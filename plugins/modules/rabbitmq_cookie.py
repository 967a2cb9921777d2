#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Give a RabbitMQ node its Erlang cookie, also while it runs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rabbitmq_cookie
short_description: Set the Erlang cookie of a RabbitMQ node
version_added: 0.1.0
description:
  - Writes the cookie by which nodes of a cluster and their tools know each other.
  - A running node takes another cookie at once and keeps its connections. Give it to all nodes in the same run,
    because new connections between nodes need the same cookie on both sides.
author: Flightdeck contributors (@flightdeck)
attributes:
  check_mode:
    support: full
    description: Reports whether the cookie would change.
  diff_mode:
    support: none
    description: The cookie is a secret.
options:
  cookie: {description: The cookie., type: str, required: true}
"""

EXAMPLES = r"""
- name: Set the Erlang cookie
  flightdeck.airflow.rabbitmq_cookie:
    cookie: "{{ airflow_secrets.rabbitmq_cookie }}"
"""

RETURN = r""" # """

import os
import pwd

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _files, _systemd

UNIT = "rabbitmq-server.service"
COOKIE = "/var/lib/rabbitmq/.erlang.cookie"


def give(module: AnsibleModule, known: str, cookie: str, *, running: bool) -> None:
    """Bring ``cookie`` into the running node and then to the file, which its tools read; ``known`` is the present one.

    Raises OSError.
    """
    following = f"{COOKIE}.next"
    write(following, cookie)
    refused = ""
    if running:
        # By the file, because everybody can read the arguments of a process.
        expression = (
            f'{{ok, Cookie}} = file:read_file("{following}"), erlang:set_cookie(binary_to_atom(Cookie, latin1)).'
        )
        code, out, err = module.run_command(["rabbitmqctl", "--quiet", "eval", expression])
        if code or out.strip() != "true":
            refused = (err or out).strip() or "no answer"
    os.replace(following, COOKIE)
    # A run that was killed here before has left a node that knows the new cookie already, and hears no other.
    if refused and module.run_command(["rabbitmqctl", "--quiet", "ping"])[0]:
        write(COOKIE, known)
        module.fail_json(msg=f"the running node did not take the cookie: {refused}")


def write(path: str, cookie: str) -> None:
    """Write a file with ``cookie`` that only RabbitMQ can read. Raises OSError."""
    account = pwd.getpwnam("rabbitmq")
    _files.write_text(path, cookie, account.pw_uid, account.pw_gid, 0o400)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={"cookie": {"type": "str", "required": True, "no_log": True}},
        supports_check_mode=True,
    )
    cookie = module.params["cookie"]
    try:
        known = _files.read_text(COOKIE) or ""
        if known == cookie:
            module.exit_json(changed=False)
        if not module.check_mode:
            give(module, known, cookie, running=_systemd.states(module.run_command, [UNIT])[UNIT].active)
    except OSError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
