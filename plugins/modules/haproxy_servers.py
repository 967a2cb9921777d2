#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Take servers out of the load balancing of this host's HAProxy while they stop."""

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_servers
short_description: Take servers out of the load balancing while they stop
version_added: 0.2.0
description:
  - Talks to the HAProxy of this host by its socket. HAProxy forgets such states at its next reload. So what lasts
    is its health check - V(drain) before a server stops, V(stopped) after it did, and nothing is left in HAProxy.
  - An HAProxy that does not run sends no requests. There is nothing to do then.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.changes
options:
  listeners:
    description: Listeners of HAProxy that count.
    type: list
    elements: str
    required: true
  servers:
    description: Names of servers behind them. One that a listener does not have is no problem.
    type: list
    elements: str
    required: true
  state:
    description:
      - With V(drain) the servers get no new requests. Waits until they have answered those that they have, for
        O(timeout) seconds at most. A server that an operator has set to maintenance is left alone.
      - Before, V(drain) takes back what a run that was killed did to the other servers of a listener, and waits up to
        15 seconds until one of them gets requests.
      - With V(stopped) waits until the health check finds them down, and fails after O(timeout) seconds. Then takes
        back what V(drain) did.
      - V(ready) takes back what V(drain) did. Warns where HAProxy does not answer, because the servers work without it.
    type: str
    choices: [drain, stopped, ready]
    required: true
  timeout:
    description: Bound of the wait in seconds.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Send no more requests to a webserver
  flightdeck.airflow.haproxy_servers:
    listeners: [web, execution_api]
    servers: [web2]
    state: drain
"""

RETURN = r"""
sessions:
  description: Requests that the servers have not answered yet.
  type: int
  returned: success
"""

import csv
import io
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _node_status

SOCKET = "/run/haproxy/admin.sock"
POLL_SECONDS = 0.5
# A health check each second, to which a server has 3 s to answer, and some more on a busy host.
FOUND_UP_SECONDS = 15


def lines(module: AnsibleModule, *, others: bool = False) -> list[dict[str, str]]:
    """HAProxy's statistics of the servers, or of the ``others`` of their listeners; none when it does not run. Raises
    OSError."""
    try:
        text = _node_status.haproxy_statistics(SOCKET)
    except (FileNotFoundError, ConnectionRefusedError):
        return []
    found = [
        line
        for line in csv.DictReader(io.StringIO(text.lstrip("# ")))
        if line["pxname"] in module.params["listeners"] and line["svname"] not in ("FRONTEND", "BACKEND")
    ]
    return [line for line in found if (line["svname"] in module.params["servers"]) != others]


def order(module: AnsibleModule, found: list[dict[str, str]], state: str) -> None:
    """Tell HAProxy the ``state`` of the servers. Raises OSError."""
    for line in found:
        if module.check_mode or line["status"].startswith("MAINT"):
            continue
        said = _node_status.haproxy_answer(SOCKET, f"set server {line['pxname']}/{line['svname']} state {state}")
        if said.strip():
            module.fail_json(msg=f"HAProxy, server {line['pxname']}/{line['svname']}: {said.strip()}")


def serving(line: dict[str, str]) -> bool:
    """Whether HAProxy may send requests to a server."""
    return line["status"].startswith(("UP", "no check"))


def answering(line: dict[str, str]) -> bool:
    """Whether the health check finds a server up, or does not yet find it down."""
    return serving(line) or line["status"].startswith(("DRAIN", "NOLB"))


def bring_back(module: AnsibleModule) -> list[dict[str, str]]:
    """Let the other servers have requests again; those that a run that was killed had drained. Raises OSError.

    Where a listener has none that gets requests, health checks may be about to find one up.
    """
    found = lines(module, others=True)
    drained = [line for line in found if line["status"].startswith("DRAIN")]
    # One that is down may be drained, too, which its status does not say.
    order(module, [line for line in found if not serving(line)], "ready")
    deadline = time.monotonic() + FOUND_UP_SECONDS
    while not module.check_mode and time.monotonic() < deadline:
        found = [line for line in lines(module, others=True) if not line["status"].startswith("MAINT")]
        if {line["pxname"] for line in found} <= {line["pxname"] for line in found if serving(line)}:
            break
        time.sleep(POLL_SECONDS)
    return drained


def sessions(found: list[dict[str, str]]) -> int:
    """Requests that the servers have not answered yet."""
    return sum(int(line["scur"] or 0) for line in found)


def run(module: AnsibleModule) -> None:
    """Bring the servers into the state. Raises OSError."""
    state, deadline = module.params["state"], time.monotonic() + module.params["timeout"]
    found = lines(module)
    if state == "drain":
        changes = [(line, "ready") for line in bring_back(module)]
        changes += [(line, "drain") for line in found if serving(line)]
        order(module, found, "drain")
        while sessions(found := lines(module)) and time.monotonic() < deadline and not module.check_mode:
            time.sleep(POLL_SECONDS)
    else:
        changes = [(line, "ready") for line in found if line["status"].startswith("DRAIN")]
        while state == "stopped" and not module.check_mode and any(map(answering, found)):
            if time.monotonic() > deadline:
                names = ", ".join(f"{line['pxname']}/{line['svname']}" for line in found if answering(line))
                module.fail_json(msg=f"after {module.params['timeout']} s, HAProxy still finds {names} up")
            time.sleep(POLL_SECONDS)
            found = lines(module)
        order(module, found, "ready")
    diff = {
        "before": "".join(f"{line['pxname']}/{line['svname']} {line['status']}\n" for line, _after in changes),
        "after": "".join(f"{line['pxname']}/{line['svname']} {after}\n" for line, after in changes),
    }
    module.exit_json(changed=bool(changes), diff=diff, sessions=sessions(found))


def main() -> None:
    """Entry point."""
    names = {"type": "list", "elements": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "listeners": names,
            "servers": names,
            "state": {"type": "str", "choices": ["drain", "stopped", "ready"], "required": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    try:
        run(module)
    except OSError as error:
        said = f"HAProxy does not answer on {SOCKET}: {error}"
        if module.params["state"] != "ready":
            module.fail_json(msg=said)
        module.warn(said)
        module.exit_json(changed=False, sessions=0)


if __name__ == "__main__":
    main()
