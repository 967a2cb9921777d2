# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One wrong thing in the user's input, and how a list of them is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code


@dataclass(frozen=True, order=True)
class Problem:
    """A finding of the validation.

    ``where`` is a variable, group or host; none of the fields holds a secret.
    """

    code: Code
    where: str
    found: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.code} {self.where}: found {self.found}; expected {self.expected}. {self.remedy}"


class RefusalError(Exception):
    """Ends the validation before its end: ``problems`` are all that can be known."""

    def __init__(self, problems: list[Problem]) -> None:
        """A refusal because of ``problems``."""
        super().__init__(report(problems))
        self.problems = problems


def on_hosts(found: Iterable[tuple[str, Problem]], everybody: int = 0) -> list[Problem]:
    """Problems of single hosts, those that several hosts share as one: a variable in ``group_vars`` is one mistake, not
    two hundred.

    Hosts are not named when all ``everybody`` hosts share the problem.
    """
    hosts: dict[Problem, list[str]] = {}
    for host, problem in found:
        hosts.setdefault(problem, []).append(host)
    merged = []
    for problem, names in hosts.items():
        if 1 < everybody == len(set(names)):
            merged.append(problem)
            continue
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        merged.append(replace(problem, where=f"{problem.where} of host{'s' if len(names) > 1 else ''} {shown}"))
    return merged


def report(problems: Iterable[Problem]) -> str:
    """All problems as one text, sorted by code, for the message of a failed task."""
    found = sorted(set(problems))
    head = f"{len(found)} problem{'s' if len(found) != 1 else ''} found, nothing was changed on any host:"
    return "\n".join([head, *(f"  {problem}" for problem in found)])
