# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an action that only checks ends: with all problems at once, or with warnings about what was confirmed."""

from __future__ import annotations

from collections.abc import Sequence

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem, report

display = Display()


def refuse(problems: Sequence[Problem], risks: Sequence[Problem] = (), confirmed: bool = False) -> None:
    """Raise AnsibleActionFail with the ``problems`` and, unless they were ``confirmed``, the ``risks``; else warn of
    these."""
    if problems or (risks and not confirmed):
        raise AnsibleActionFail(report([*problems, *(() if confirmed else risks)]))
    for risk in risks:
        display.display(f"[WARNING]: {risk}", color=C.COLOR_WARN, stderr=True)
