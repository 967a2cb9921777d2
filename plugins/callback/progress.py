# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints what a run waits for."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: aggregate
short_description: Print every 30 s which tasks still run
version_added: 0.1.0
description:
  - Prints a line for each task that runs for longer than 30 s, and one more every 30 s until it ends, with its hosts.
    The name of a task that waits ends with its timeout.
  - Prints to standard error. A run without such a task prints nothing.
author: Flightdeck contributors (@flightdeck)
requirements:
  - enabled in the configuration, C(callbacks_enabled = flightdeck.airflow.progress)
"""

import threading
import time
from collections.abc import Mapping
from typing import Any

from ansible.plugins.callback import CallbackBase

INTERVAL_SECONDS = 30
LOOK_SECONDS = 1
# Hosts that a line names.
SHOWN = 5


class CallbackModule(CallbackBase):
    """See the documentation above."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "flightdeck.airflow.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Nothing runs yet."""
        super().__init__()
        # Replaced, never changed, since a thread goes through it: by host, the task and when it began.
        self._running: Mapping[str, tuple[str, float]] = {}
        # Periods that were printed, by task.
        self._said: dict[str, int] = {}
        self._watch: threading.Thread | None = None

    def v2_playbook_on_start(self, *_playbook: Any) -> None:
        """A thread, because Ansible has no event while all hosts are busy."""
        if not self._watch:
            self._watch = threading.Thread(target=self._look, daemon=True)
            self._watch.start()

    def _forget(self, *_play: Any) -> None:
        """What ended without an event, as at the end of a playbook, after which another one may follow."""
        self._running = {}

    v2_playbook_on_play_start = v2_playbook_on_stats = _forget

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """A host begins with a task, and is done with the one before."""
        self._running = {**self._running, str(host.get_name()): (task.get_name(), time.monotonic())}

    def _ended(self, result: Any, **_options: Any) -> None:
        self._running = {host: task for host, task in self._running.items() if host != str(result.host.get_name())}

    v2_runner_on_ok = v2_runner_on_failed = v2_runner_on_skipped = v2_runner_on_unreachable = _ended

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            for line in self.lines(time.monotonic()):
                # Ansible's own lock keeps it out of the way of forks, and of other output.
                self._display.display(line, stderr=True)

    def lines(self, now: float) -> list[str]:
        """What is due to be printed at ``now``, one line for all hosts of a task."""
        tasks: dict[str, dict[str, float]] = {}
        for host, (task, began) in self._running.items():
            tasks.setdefault(task, {})[host] = now - began
        due, said = [], {}
        for task, hosts in tasks.items():
            periods = int(max(hosts.values()) / INTERVAL_SECONDS)
            if periods > self._said.get(task, 0):
                slow = [host for host, seconds in hosts.items() if seconds >= INTERVAL_SECONDS]
                more = f" and {len(slow) - SHOWN} more" if len(slow) > SHOWN else ""
                due.append(
                    f"still running after {periods * INTERVAL_SECONDS} s: {task} [{', '.join(slow[:SHOWN])}{more}]"
                )
            said[task] = periods
        self._said = said
        return due
