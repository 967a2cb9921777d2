# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An error of the collection itself ends a task with one problem that says where it happened and what to do."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem

_A = TypeVar("_A", bound=ActionBase)
_P = ParamSpec("_P")
_PLUGINS = Path(__file__).parents[2]

display = Display()


def guarded(run: Callable[Concatenate[_A, _P], dict[str, Any]]) -> Callable[Concatenate[_A, _P], dict[str, Any]]:
    """``run`` of an action plugin, whose unexpected exceptions become one AnsibleActionFail.

    Errors of Ansible pass as they are. The text of another exception can hold a secret, so neither the message nor the
    traceback, which -vvv shows, repeats it.
    """

    @functools.wraps(run)
    def guard(action: _A, /, *arguments: _P.args, **named: _P.kwargs) -> dict[str, Any]:
        try:
            return run(action, *arguments, **named)
        except AnsibleError:
            raise
        except Exception as error:
            problem = _problem(error)
            display.vvv("".join(traceback.format_tb(error.__traceback__)))
        raise AnsibleActionFail(str(problem))

    return guard


def _problem(error: Exception) -> Problem:
    """What ``error`` comes down to: a file on the controller that cannot be used, or a defect of the collection."""
    place = _place(error)
    if isinstance(error, OSError) and error.filename:
        remedy = "Correct its path, owner or mode, or make room for it."
        return Problem(
            Code.FD199,
            f"file {error.filename} on the controller",
            str(error.strerror),
            "a file that can be used",
            remedy,
        )
    remedy = (
        "It is not your fault: report it to the maintainers with this line, the playbook and the variables it needs, "
        "without secrets. -vvv shows the calls that led to it."
    )
    return Problem(Code.FD199, place, f"{type(error).__name__}", "no error of the collection", remedy)


def _place(error: Exception) -> str:
    """The innermost line of the collection that ``error`` went through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(_PLUGINS)]
    frame = (own or frames)[-1]
    path = Path(frame.filename)
    return f"{path.relative_to(_PLUGINS.parent) if own else path}:{frame.lineno}"
