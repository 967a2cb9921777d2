# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads what tasks need before the first one."""

from __future__ import annotations

DOCUMENTATION = r"""
name: preload
type: aggregate
short_description: Load filters, tests and action plugins once for all tasks
version_added: 0.1.0
description:
  - Loads Ansible's filters and tests, and the filters and action plugins of the collection, when a run begins. Each
    task runs in a process of its own, for each host, which begins with what the run has loaded, and would load the
    rest once more.
  - Changes nothing but the time of a run.
author: Flightdeck contributors (@flightdeck)
requirements:
  - enabled in the configuration, C(callbacks_enabled = flightdeck.airflow.preload)
"""

import pkgutil
from typing import Any

from ansible.plugins import loader
from ansible.plugins.callback import CallbackBase
from ansible_collections.flightdeck.airflow.plugins import action

_COLLECTION = "flightdeck.airflow"


class CallbackModule(CallbackBase):
    """See the documentation above."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "flightdeck.airflow.preload"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, *_playbook: Any) -> None:
        """The first look for a plugin of Jinja loads all of them, here those of Ansible and of the collection."""
        loader.filter_loader.get(f"{_COLLECTION}.platform")
        loader.test_loader.get("ansible.builtin.file")
        for module in pkgutil.iter_modules(action.__path__):
            loader.action_loader.get(f"{_COLLECTION}.{module.name}", class_only=True)
