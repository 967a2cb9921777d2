# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One wrong thing in the user's input, and how a list of them is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code

# In the archive, too.
_CODES = Path(__file__).parents[3] / "docs" / "codes.md"


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
    """All problems as one text, sorted by code, for the message of a failed task. It ends with what to do next."""
    found = sorted(set(problems))
    head = f"{len(found)} problem{'s' if len(found) != 1 else ''} found, nothing was changed on any host:"
    lines = [head, *(f"  {problem}" for problem in found)]
    if found:
        first = found[0].code
        # What is checked later has higher numbers, and often fails because of what was found before.
        begin = f"Begin with {first}, others may follow from it. " if len(found) > 1 else ""
        lines.append(f"{begin}What {first} means: {_CODES}#{first.lower()}")
    return "\n".join(lines)
