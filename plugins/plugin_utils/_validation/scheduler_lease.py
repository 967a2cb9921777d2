"""Checks of singleton mode and its notifications."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.scheduler_lease import singleton
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem


def check(hosts: Iterable[Host], settings: Settings) -> list[Problem]:
    """Problems of singleton mode and of its notifications."""
    problems = []
    if singleton(settings) and not any("metastore" in host.groups for host in hosts):
        remedy = "Turns are kept by logins, which the collection manages in its own PostgreSQL only: add hosts to airflow_metastore."
        problems.append(Problem(Code.FD180, "airflow_scheduler_mode", "singleton without airflow_metastore", "active_active", remedy))
    needed = {"airflow_failover_email_host": settings.failover_email_host, "airflow_failover_email_from": settings.failover_email_from}
    missing = [name for name, value in needed.items() if not value]
    if settings.failover_email_to and missing:
        names = " and ".join(missing)
        remedy = "Without a server and a sender nobody is told: set them, or leave all three out."
        problems.append(Problem(Code.FD181, "airflow_failover_email_to", f"recipients without {names}", "server and sender, too", remedy))
    if settings.failover_email_user and not settings.failover_email_starttls:
        remedy = "The password would cross the network unencrypted: set it, or leave the user out."
        problems.append(Problem(Code.FD181, "airflow_failover_email_starttls", "false, with airflow_failover_email_user", "true", remedy))
    if re.match(r"\w+://[^/?#]*@", settings.failover_webhook_url):
        remedy = "Put what proves you into the path or the query, as such services do: no login is sent."
        problems.append(Problem(Code.FD181, "airflow_failover_webhook_url", "a URL with a login", "one without", remedy))
    return problems
