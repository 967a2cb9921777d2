#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Run systemd units with the settings that are on disk."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service
short_description: Run systemd units with the settings that are on disk
version_added: 0.1.0
description:
  - Defines, starts, reloads, restarts, stops and removes units by one rule. The digest of what a process reads is
    recorded when the process starts, see RV(stale). A different digest on disk means a restart, or a reload where that
    is enough.
  - Times of files and clocks are not compared, and no notification is needed. A restart that was lost with a killed
    run happens in the next one.
  - The record is written by a drop-in of the unit, which belongs to the module. A process that was started before it
    had that drop-in is restarted once.
  - A unit with a condition that a file does not exist (C(ConditionPathExists=!)), on a host that has this file, is
    defined, and neither started nor waited for.
  - Reads new unit files and drop-ins (C(systemctl daemon-reload)) when they changed.
author: Flightdeck contributors (@flightdeck)
attributes:
  check_mode:
    support: full
    description: Reports the actions and takes none. A unit that is not installed yet counts as one to start.
  diff_mode:
    support: full
    description: Shows unit files and actions.
options:
  name:
    description: Full name of the unit to define and run. Without it O(units) are managed as they were defined.
    type: str
  src:
    description: Template below C(templates/) of the unit file of O(name), for a unit that no package brings.
    type: str
  content:
    description: What the host gets of O(src), encoded in base64. Not to be set by tasks.
    type: str
  restart_on:
    description:
      - Files that the process reads at its start only.
      - Of unit files and drop-ins only what a process is started with counts.
    type: list
    elements: path
    default: []
  reload_on:
    description: Files that a reload of O(name) reads again.
    type: list
    elements: path
    default: []
  digest:
    description: A digest of what the process reads and no file in O(restart_on) tells.
    type: str
    default: ''
  ignored_lines:
    description: Beginnings of lines of the unit file whose change needs no restart.
    type: list
    elements: str
    default: []
  companions:
    description:
      - Units that work for O(name), such as the timer of its health check. When their files changed, systemd reads them
        again.
    type: list
    elements: str
    default: []
  pending:
    description: In check mode, files that tasks before would have changed, or removed when they keep a unit from
      starting.
    type: list
    elements: path
    default: []
  restart:
    description:
      - Whether a running unit is restarted.
      - Otherwise it is only named in RV(stale), so that another task can do it host by host.
    type: bool
    default: true
  restart_when:
    description:
      - Command that must succeed before a running unit is restarted. It is repeated until then, for O(timeout)
        seconds at most. Use it with C(throttle) where other hosts must be healthy meanwhile.
    type: list
    elements: str
    default: []
  units:
    description:
      - Names of units, or shell patterns of the names of unit files.
      - Together with O(name), units of the same kind. Those that are not among O(keep) are stopped and removed.
    type: list
    elements: str
  keep:
    description: Units that stay.
    type: list
    elements: str
    default: []
  state:
    description:
      - V(started) units run now and at boot, V(stopped) ones neither. V(absent) units are stopped, and their files
        removed.
      - V(restarted) restarts those of O(units) whose digest differs, and waits until C(airflow-health) finds them
        healthy. A unit that was stopped stays stopped. One that failed, or is about to start again, is restarted, too.
      - V(healthy) waits for those of O(units) that need no restart, which many hosts can do at once.
    type: str
    choices: [started, stopped, absent, restarted, healthy]
    default: started
  always:
    description: With O(state=restarted), whether units restart that run with the settings on disk, too.
    type: bool
    default: false
  require_heartbeat_since_now:
    description:
      - With O(state=healthy), wait for all O(units) and count only heartbeats from now on.
      - This is for the time after an outage of the metastore, which ends some services; systemd starts them again.
    type: bool
    default: false
  up_urls:
    description:
      - After the start of a webserver, wait until each of these answers with status 200, as load balancers do when
        they send requests to it. Otherwise the next host's restart would leave users without any webserver.
      - A load balancer that does not answer at all is not waited for, nor one that answers 404, because it does not
        know this host yet.
    type: list
    elements: str
    default: []
  timeout:
    description: Bound of each wait in seconds.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Run HAProxy
  flightdeck.airflow.service:
    name: haproxy.service
    restart_on: [/etc/systemd/system/haproxy.service.d/airflow.conf]
    reload_on: [/etc/haproxy/haproxy.cfg]

- name: Stop the workers
  flightdeck.airflow.service:
    units: ["airflow-worker@*.service"]
    state: stopped

- name: Restart what runs with old settings, one host after the other
  flightdeck.airflow.service:
    units: [airflow-*.service]
    state: restarted
  throttle: 1
"""

RETURN = r"""
actions:
  description: What was, or in check mode would be, done to the units.
  type: list
  elements: str
  returned: always
  sample: [enable redis-server.service, start redis-server.service]
stale:
  description:
    - Units whose running process was started with other settings, and that were not restarted.
    - The digest on disk is C(/etc/systemd/system/<unit>.d/restart.digest), that of the process
      C(/run/flightdeck/<unit>/restart.digest).
  type: list
  elements: str
  returned: always
"""

import base64
import time
import urllib.error
import urllib.request

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _service, _systemd

HEALTH = "/usr/local/bin/airflow-health"
POLL_SECONDS = 0.5
STATES = ["started", "stopped", "absent", "restarted", "healthy"]
WEBSERVERS = frozenset({"airflow-api-server.service", "airflow-webserver.service"})


class Run:
    """One run of the module."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.p = module.params
        # Names and patterns.
        self.kind: list[str] = self.p["units"] or []
        self.services = _service.Services(module)
        self.stale: list[str] = []

    def definition(self) -> _service.Definition:
        """What the process of the named unit reads."""
        content = self.p["content"]
        return _service.Definition(
            restart_on=self.p["restart_on"],
            reload_on=self.p["reload_on"],
            known=self.p["digest"],
            unit_file=None if content is None else base64.b64decode(content).decode(),
            ignored_lines=self.p["ignored_lines"],
            pending=self.p["pending"],
            companions=self.p["companions"],
        )

    def run(self) -> None:
        """Do what the state asks for. Raises OSError."""
        if self.p["name"]:
            self.services.remove(name for name in _service.present(self.kind) if name not in self.p["keep"])
            name, restart = self.p["name"], self.p["restart"]
            if self.services.run(name, self.definition(), restart=restart, before_restart=self.wait_for_restart):
                self.stale = [name]
        else:
            getattr(self, self.p["state"])(_service.present(self.kind))

    def startable(self, units: list[str]) -> list[str]:
        """Those of ``units`` that no file on this host keeps from starting."""
        gone = self.p["pending"] if self.module.check_mode else ()
        return [unit for unit in units if not _systemd.held(unit, gone=gone)]

    def started(self, units: list[str]) -> None:
        """Start units that were deployed before, now and at boot."""
        if not units:
            kind = ", ".join(self.kind)
            self.module.fail_json(
                msg=f"{kind}: found no such unit; expected a host that was deployed. Run flightdeck.airflow.site."
            )
        states = self.services.states(self.startable(units))
        # What shall run runs at boot, too, if the host goes down meanwhile.
        self.services.act("enable", *(unit for unit, state in states.items() if not state.enabled))
        self.services.start(states)
        self.stale = [unit for unit, state in states.items() if state.active and _systemd.outdated(unit)]

    def stopped(self, units: list[str]) -> None:
        """Stop units, now and at boot. One that drains still is waited for."""
        states = self.services.states(units)
        # A stop may take as long as a drain, and the host may go down meanwhile.
        self.services.act("disable", *(unit for unit in units if states[unit].enabled))
        self.services.act("stop", *(unit for unit in units if not states[unit].ended))

    def absent(self, units: list[str]) -> None:
        """Stop and remove units."""
        self.services.remove(units)

    def in_use(self, units: list[str]) -> dict[str, _systemd.State]:
        """Those of ``units`` that were not stopped, nor are kept from starting.

        One that crashed is failed, or about to start again.
        """
        states = self.services.states(self.startable(units))
        return {unit: state for unit, state in states.items() if state.failed or not state.ended}

    def restarted(self, units: list[str]) -> None:
        """Restart what runs with other settings than those on disk, or all, and wait for it."""
        every = self.p["always"]
        found = self.in_use(units)
        stale = [unit for unit, state in found.items() if every or not state.pid or _systemd.outdated(unit)]
        self.services.act("restart", *stale)
        self.wait(stale)

    def healthy(self, units: list[str]) -> None:
        """Wait for what needs no restart."""
        found = self.in_use(units)
        self.stale = [unit for unit, state in found.items() if not state.pid or _systemd.outdated(unit)]
        if self.p["require_heartbeat_since_now"]:
            # A worker that drains is not waited for.
            self.wait([unit for unit, state in found.items() if not state.stopping], "--heartbeat-since-now")
        else:
            self.wait([unit for unit in found if unit not in self.stale])

    def wait_for_restart(self) -> None:
        """Return when the command succeeds that says whether a unit may restart."""
        command, deadline = self.p["restart_when"], time.monotonic() + self.p["timeout"]
        while command:
            code, out, err = self.module.run_command(command)
            if not code:
                return
            if time.monotonic() > deadline:
                said = "\n".join(text.strip() for text in (out, err) if text.strip())
                self.services.fail(
                    f"{self.p['name']} was not restarted: for {self.p['timeout']} s, {command[0]} said:\n{said}"
                )
            time.sleep(POLL_SECONDS)

    def wait(self, units: list[str], *options: str) -> None:
        """Return when all ``units`` are healthy and load balancers send requests to a webserver among them."""
        if self.module.check_mode or not units:
            return
        timeout = self.p["timeout"]
        code, out, err = self.module.run_command([HEALTH, f"--wait={timeout}", *options, *units])
        if code:
            # What the healthy ones say would push the reason out of the end of the journal.
            ill = [unit for unit in units if self.module.run_command([HEALTH, *options, unit])[0]] or units
            self.services.fail(
                f"Not healthy after {timeout} s:\n{(out or err).strip()}\n"
                f"The journal of {', '.join(ill)} ends with:\n{self.services.journal(ill)}"
            )
        if WEBSERVERS.intersection(units):
            wait_served(self.services, self.p["up_urls"], timeout)


def sends(url: str) -> bool:
    """Whether a load balancer sends requests to this host, as far as it is to be waited for."""
    try:
        # Without a proxy: load balancers are neighbours.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        return error.code == 404
    except OSError:
        return True


def wait_served(services: _service.Services, urls: list[str], timeout: int) -> None:
    """Return when all load balancers send requests to this host."""
    deadline = time.monotonic() + timeout
    while waiting := [url for url in urls if not sends(url)]:
        if time.monotonic() > deadline:
            services.fail(f"healthy, but after {timeout} s still not served according to {', '.join(waiting)}")
        time.sleep(POLL_SECONDS)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str"},
            "src": {"type": "str"},
            "content": {"type": "str", "no_log": True},
            "restart_on": {"type": "list", "elements": "path", "default": []},
            "reload_on": {"type": "list", "elements": "path", "default": []},
            "digest": {"type": "str", "default": ""},
            "ignored_lines": {"type": "list", "elements": "str", "default": []},
            "companions": {"type": "list", "elements": "str", "default": []},
            "pending": {"type": "list", "elements": "path", "default": []},
            "restart": {"type": "bool", "default": True},
            "restart_when": {"type": "list", "elements": "str", "default": []},
            "units": {"type": "list", "elements": "str"},
            "keep": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": STATES, "default": "started"},
            "always": {"type": "bool", "default": False},
            "require_heartbeat_since_now": {"type": "bool", "default": False},
            "up_urls": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 600},
        },
        required_one_of=[("name", "units")],
        required_by={"src": ["name"], "content": ["name"]},
        supports_check_mode=True,
    )
    if module.params["name"] and module.params["state"] != "started":
        module.fail_json(msg="name defines a unit that runs; give units for any other state than started")
    run = Run(module)
    try:
        run.run()
    except OSError as error:
        run.services.fail(str(error))
    services = run.services
    acted = {"before": "", "after": "".join(f"{action}\n" for action in services.actions)}
    waits = module.params["state"] == "healthy"
    module.exit_json(
        changed=bool(services.change.paths or services.actions or (run.stale and not waits)),
        actions=services.actions,
        stale=run.stale,
        diff=[*services.change.diff, acted],
    )


if __name__ == "__main__":
    main()
