# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of proxies that the user's environment variables name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem

PROXY_NAME = re.compile(r"(HTTP|HTTPS|ALL)_PROXY", re.IGNORECASE)
_EXCEPTIONS = re.compile(r"NO_PROXY", re.IGNORECASE)
_SHOWN = 3


def check_environment(environment: Mapping[str, Any], addresses: Iterable[str], settings: Settings) -> list[Problem]:
    """Problems of proxy variables in ``environment`` (airflow_environment of one host).

    ``addresses`` are those of the cluster, which Airflow's own requests go to.
    """
    given = {str(name): str(value) for name, value in environment.items() if value not in (None, "")}
    proxies = sorted(name for name in given if PROXY_NAME.fullmatch(name))
    exceptions = sorted(name for name in given if _EXCEPTIONS.fullmatch(name))
    if settings.http_proxy:
        remedy = "Leave it out: airflow_http_proxy sets these variables, and airflow_no_proxy adds exceptions."
        return [
            Problem(
                Code.FD139, f"airflow_environment.{name}", "a value, and airflow_http_proxy", "one of the two", remedy
            )
            for name in (*proxies, *exceptions)
        ]
    if not proxies:
        return []
    # Clients read one spelling or the other, so that each has to do.
    lists = [_entries(given[name]) for name in exceptions] or [[]]
    missing = [address for address in addresses if not all(_covered(address, entries) for entries in lists)]
    if not missing:
        return []
    shown = ", ".join(missing[:_SHOWN]) + (f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else "")
    found = f"a proxy, and no exception for {shown}"
    expected = "the cluster's own requests without a proxy"
    remedy = "Set airflow_http_proxy instead: it computes NO_PROXY. Networks do not count: not all clients know them."
    return [Problem(Code.FD139, f"airflow_environment.{', '.join(proxies)}", found, expected, remedy)]


def _entries(text: str) -> list[str]:
    # One in brackets counts for none: with it, the client of the execution API (httpx) fails as a whole.
    return [entry.strip().lower() for entry in text.split(",") if entry.strip()]


def _covered(address: str, entries: Iterable[str]) -> bool:
    """Whether ``address``, an IP address or a name, is or lies below one of ``entries``."""
    name = address.lower()
    return any(entry in ("*", name) or name.endswith("." + entry.lstrip(".")) for entry in entries)
