# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for a change of the version of Airflow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.templates import template_of
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import upgrade


def upgrade_change(
    releases: Mapping[str, str], version: str, compared: upgrade.Compared, back: bool = False
) -> dict[str, object]:
    """The change to ``version`` of hosts with the active ``releases``."""
    return upgrade.change(releases, version, compared, back).to_vars()


def upgrade_table(change: object, found: upgrade.Findings) -> list[str]:
    """A ``change``, and what the checks ``found``, for people."""
    return upgrade.table(upgrade.Change.from_vars(change), found)


def lint_findings(said: str) -> list[str]:
    """What ``airflow config lint`` found, of what it ``said``. It ends with 0 whatever it finds."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", said)
    _before, found, issues = text.partition("Found issues in your airflow.cfg:")
    lines = issues.partition("Please update your configuration file")[0] if found else ""
    return [" ".join(issue.split()) for issue in re.split(r"^\s+- ", lines, flags=re.MULTILINE) if issue.strip()]


def staged_files(files: Iterable[Mapping[str, Any]], directory: str) -> list[dict[str, Any]]:
    """``files`` of /etc/airflow as the module config_files takes them, with paths below ``directory`` in its place."""
    found = []
    for file in files:
        source = {} if {"src", "content"} & set(file) else {"src": template_of(str(file["path"]))}
        path = directory + str(file["path"]).removeprefix("/etc/airflow")
        found.append({**file, **source, "path": path})
    return found


class FilterModule:
    """The filters of this file by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {
            "lint_findings": lint_findings,
            "staged_files": staged_files,
            "upgrade_change": upgrade_change,
            "upgrade_table": upgrade_table,
        }
