#!/usr/bin/python
# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Restart units that run with old settings, and wait until they are healthy."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restart_units
short_description: Restart stale units and wait until they are healthy
version_added: 0.1.0
description:
  - For handlers. Restarts each unit whose running process carries another digest than its unit file, and waits until
    C(airflow-health) calls it healthy. Restart and wait are one task, so that C(throttle) makes it rolling.
  - A unit that was stopped stays stopped, and nobody waits for it. One that failed or is about to start again counts as stale.
  - With O(state=healthy) it only waits for the others, which were started just now, so all hosts can do it at once.
  - With O(state=recovered) it restarts nothing and waits for all, and of those with a heartbeat for one from now on. For the time after
    the metastore was away, which ends some of Airflow's services; systemd starts them again.
author: Flightdeck contributors (@flightdeck)
attributes:
  check_mode:
    support: full
    description: Reports which units it would restart.
  diff_mode:
    support: none
    description: Restarts have no text to compare.
options:
  names:
    description: Unit names with their suffix, or shell patterns of the names of unit files.
    type: list
    elements: str
    required: true
  state:
    description: Restart what is stale, or only wait.
    type: str
    choices: [restarted, healthy, recovered]
    default: restarted
  up_urls:
    description:
      - After the start of a webserver, wait until each of these answers with status 200, which load balancers do when they send
        requests to it. The next host's restart would leave users without any webserver otherwise.
      - A load balancer that does not answer at all sends nobody, and one that answers 404 was not told of this host yet; neither is waited
        for.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that the units may take until they are healthy, together.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Restart what runs with old settings
  flightdeck.airflow.restart_units:
    names: [airflow-*.service]
  throttle: 1
"""

RETURN = r"""
restarted:
  description: The units that were restarted.
  type: list
  elements: str
  returned: always
stale:
  description: The units whose process was not the one that their file describes.
  type: list
  elements: str
  returned: always
"""

import fnmatch
import os
import time
import urllib.error
import urllib.request

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _files, _systemd

POLL_SECONDS = 0.5
WEBSERVERS = frozenset({"airflow-api-server.service", "airflow-webserver.service"})


def unit_names(patterns: list[str]) -> list[str]:
    """Names of the unit files that match; templates (``name@.service``) are none."""
    present = sorted(name for name in os.listdir(_systemd.UNIT_DIR) if "@." not in name)
    return [name for name in present if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]


def units_in_use(module: AnsibleModule, names: list[str], *others: str) -> dict[str, int]:
    """The main process of each unit, 0 without one. Units that somebody stopped are left out; one that crashed is not ``inactive``.

    So are those in one of the ``others`` states.
    """
    shown = _systemd.show(module.run_command, names, "ActiveState,MainPID")
    return {name: int(unit.get("MainPID", 0)) for name, unit in shown.items() if unit.get("ActiveState") not in ("inactive", *others)}


def stale_units(units: dict[str, int]) -> list[str]:
    """Those of ``units`` whose process is not the one that their file describes."""
    stale = []
    for name, pid in units.items():
        wanted = _systemd.digest_of_text(_files.read_text(os.path.join(_systemd.UNIT_DIR, name)) or "")
        if not pid or _systemd.digest_of_process(pid) != wanted:
            stale.append(name)
    return stale


def wait_healthy(module: AnsibleModule, names: list[str], timeout: int, *options: str) -> None:
    """Return when all units are healthy; fail with what the last check and the journals say."""
    if not names:
        return
    code, out, err = module.run_command(["/usr/local/bin/airflow-health", f"--wait={timeout}", *options, *names])
    if code:
        units = [f"--unit={name}" for name in names]
        _code, journal, _err = module.run_command(["journalctl", "--no-pager", "--lines=40", *units, "--output=short"])
        module.fail_json(msg=f"Not healthy after {timeout} s:\n{(out or err).strip()}\nTheir journal ends with:\n{journal}")


def sent_to(url: str) -> bool:
    """Whether a load balancer sends requests here."""
    try:
        # Without a proxy: load balancers are neighbours.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        return error.code == 404
    except OSError:
        return True


def wait_served(module: AnsibleModule, urls: list[str], timeout: int) -> None:
    """Return when all load balancers send requests here."""
    deadline = time.monotonic() + timeout
    while waiting := [url for url in urls if not sent_to(url)]:
        if time.monotonic() > deadline:
            module.fail_json(msg=f"healthy, but after {timeout} s still not served according to {', '.join(waiting)}")
        time.sleep(POLL_SECONDS)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["restarted", "healthy", "recovered"], "default": "restarted"},
            "up_urls": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 600},
        },
        supports_check_mode=True,
    )
    state, timeout = module.params["state"], module.params["timeout"]
    restart, recovered = state == "restarted", state == "recovered"
    try:
        # Nobody waits for a worker that drains.
        units = units_in_use(module, unit_names(module.params["names"]), *(["deactivating"] if recovered else []))
        stale = stale_units(units)
    except OSError as error:
        module.fail_json(msg=str(error))
    if not module.check_mode:
        if stale and restart:
            code, _out, err = module.run_command(["systemctl", "restart", *stale])
            if code:
                module.fail_json(msg=f"systemctl restart {' '.join(stale)} failed: {err.strip()}")
        fresh = stale if restart else [name for name in units if recovered or name not in stale]
        wait_healthy(module, fresh, timeout, *(["--anew"] if recovered else []))
        if WEBSERVERS.intersection(fresh):
            wait_served(module, module.params["up_urls"], timeout)
    module.exit_json(changed=restart and bool(stale), restarted=stale if restart else [], stale=stale)


if __name__ == "__main__":
    main()
