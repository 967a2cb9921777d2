# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of a task, checked against the documentation of its module, so that actions have no second list of
options."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import yaml
from ansible.plugins.action import ActionBase

_KEYS = ("type", "elements", "choices", "default", "required")


def arguments(action: ActionBase, documentation: str) -> dict[str, Any]:
    """The arguments of ``action``'s task in their types, paths as text, with defaults; ``documentation`` is its
    module's.

    Raises AnsibleActionFail for one that is missing, unknown or of another type, in the words that modules use.
    """
    _result, found = action.validate_argument_spec(argument_spec=_spec(documentation))
    return dict(found)


@functools.cache
def _spec(documentation: str) -> dict[str, Any]:
    return _of(yaml.safe_load(documentation).get("options", {}))


def _of(options: Mapping[str, Any]) -> dict[str, Any]:
    """An argument spec of documented ``options``, with their suboptions."""
    found = {}
    for name, option in options.items():
        # A path stays as it is: the validator would expand a home directory here, also that of a path on the host.
        found[name] = {key: "str" if option[key] == "path" else option[key] for key in _KEYS if key in option}
        if "suboptions" in option:
            found[name]["options"] = _of(option["suboptions"])
    return found
