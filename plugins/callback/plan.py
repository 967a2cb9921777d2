# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects what a run of flightdeck.airflow.plan in check mode would change."""

from __future__ import annotations

DOCUMENTATION = r"""
name: plan
type: aggregate
short_description: Collect what flightdeck.airflow.site would change, for flightdeck.airflow.plan
version_added: 0.1.0
description:
  - Collects, in runs of C(flightdeck.airflow.plan) only, which tasks would change something on which host, and which
    units would restart. The playbook prints it.
  - Ends such a run with exit code 10 when there is something to do and nothing failed. Failures have Ansible's own exit
    codes, and 0 means that there is nothing to do.
  - Names of tasks, units and files are collected, never contents.
author: Flightdeck contributors (@flightdeck)
requirements:
  - enabled in the configuration, C(callbacks_enabled = flightdeck.airflow.plan)
"""

from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._api.plan import COLLECTED, EXIT_CODE
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._api.report import one_line

_PLAYBOOK = "plan"


class CallbackModule(CallbackBase):
    """See the documentation above."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "flightdeck.airflow.plan"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Take no part in any other playbook."""
        self.disabled = Path(str(playbook._file_name)).stem != _PLAYBOOK

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task of a host, with all items of its loop."""
        COLLECTED.add(
            str(result.host.get_name()), result.task.get_name(), str(result.task.resolved_action), result.result
        )

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A host that cannot be planned to the end."""
        if not ignore_errors:
            COLLECTED.failed[str(result.host.get_name())] = one_line(result.result.get("msg"))

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Likewise."""
        COLLECTED.failed[str(result.host.get_name())] = one_line(result.result.get("msg"))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The last event of a run: Ansible has no other way to an exit code of a playbook's own."""
        if COLLECTED.changes and not (stats.failures or stats.dark or COLLECTED.failed):
            raise SystemExit(EXIT_CODE)
