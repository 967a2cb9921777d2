# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the modes of components and of their alerts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import MODES
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Cluster
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.modes import active_modes
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem


def check(hosts: Iterable[Host], settings: Settings) -> list[Problem]:
    """Problems of the modes that ``settings`` turn on, and of the alerts of a failover."""
    problems = []
    hosts = list(hosts)
    for mode in active_modes(settings):
        if not any("metastore" in host.groups for host in hosts):
            remedy = "It needs logins in a PostgreSQL that the collection manages: add hosts to airflow_metastore."
            found = f"{mode.value} without airflow_metastore"
            problems.append(Problem(Code.FD180, mode.setting, found, mode.default, remedy))
    return problems + _check_alerts(settings)


def _check_alerts(settings: Settings) -> list[Problem]:
    problems = []
    required = {
        "airflow_failover_email_host": settings.failover_email_host,
        "airflow_failover_email_from": settings.failover_email_from,
    }
    missing = [name for name, value in required.items() if not value]
    if settings.failover_email_to and missing:
        names = " and ".join(missing)
        remedy = "No e-mail is sent without a server and a sender: set them, or leave all three out."
        problems.append(
            Problem(
                Code.FD181, "airflow_failover_email_to", f"recipients without {names}", "server and sender, too", remedy
            )
        )
    if settings.failover_email_user and not settings.failover_email_starttls:
        remedy = "The password would cross the network unencrypted: set it, or leave the user out."
        problems.append(
            Problem(
                Code.FD181, "airflow_failover_email_starttls", "false, with airflow_failover_email_user", "true", remedy
            )
        )
    if re.match(r"\w+://[^/?#]*@", settings.failover_webhook_url):
        remedy = "Put the token into the path or the query, as such services do: no login is sent."
        problems.append(
            Problem(Code.FD181, "airflow_failover_webhook_url", "a URL with a login", "one without", remedy)
        )
    return problems


def check_survey(hosts: Mapping[str, Mapping[str, Any]], cluster: Cluster, limit: str) -> list[Problem]:
    """Problems of a run with ``limit`` that would change the mode of a component on some hosts; ``hosts`` maps
    names to facts."""
    if not limit:
        return []
    problems = []
    active = {name for name, mode in cluster.modes.items() if mode.enabled}
    for mode in MODES:
        if mode.name in active:
            value, others = (
                mode.value,
                [name for name, facts in hosts.items() if mode.unit in facts["flightdeck_unwrapped"]],
            )
        else:
            value = mode.default
            others = [name for name, facts in hosts.items() if mode.wrapper.program in facts["flightdeck_files"]]
        if others:
            found = f"{value}, --limit {limit}, and the other mode on {', '.join(others)}"
            remedy = f"On hosts outside of this run each {mode.component} would go on as before: run without --limit."
            problems.append(Problem(Code.FD182, mode.setting, found, "a change of the mode on all hosts", remedy))
    return problems
