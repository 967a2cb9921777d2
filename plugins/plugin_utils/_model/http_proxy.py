# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy through which tasks and Airflow's processes reach other networks, and what they reach without it."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.addresses import LOOPBACK, LOOPBACK_6
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings

# Clients read the names in different cases, and some read one of the two only.
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
NO_PROXY_VARIABLES = ("NO_PROXY", "no_proxy")
_LOCAL = ("localhost", LOOPBACK, LOOPBACK_6)


def exceptions(hosts: Iterable[Host], others: Iterable[str], settings: Settings) -> tuple[str, ...]:
    """What is reached without a proxy: names and addresses of ``hosts``, ``others`` that are not empty, the user's.

    Each is a whole name or address without brackets: clients of HTTP do not agree on networks.
    """
    own = (part for host in hosts for part in (host.name, host.address))
    # Like every other broker it is asked without a proxy; Amazon's own server is not.
    broker = urlsplit(settings.sqs_endpoint_url).hostname or ""
    found = {*_LOCAL, *own, *(other.strip("[]") for other in others), broker, *settings.no_proxy} - {""}
    return tuple(sorted(found))


def environment(hosts: Iterable[Host], others: Iterable[str], settings: Settings) -> dict[str, str]:
    """The variables of all Airflow processes; none without a proxy. ``hosts`` and ``others`` as in ``exceptions``."""
    if not settings.http_proxy:
        return {}
    direct = ",".join(exceptions(hosts, others, settings))
    return {**dict.fromkeys(PROXY_VARIABLES, settings.http_proxy), **dict.fromkeys(NO_PROXY_VARIABLES, direct)}
