# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the monitoring: how many hosts it has, how alerts are sent, and journals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.airflow_options import reference
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.versions import has_nearest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.journals import JSON_OPTION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem


def _check_journals(servers: Sequence[str], settings: Settings) -> list[Problem]:
    problems = []
    if settings.journals and not (settings.tls and servers):
        missing = [
            *([] if settings.tls else ["airflow_tls"]),
            *([] if servers else ["a host in airflow_monitoring"]),
        ]
        remedy = f"Hosts send their journals over TLS to the monitoring host: set {' and '.join(missing)}."
        problems.append(Problem(Code.FD376, "variable airflow_journals", "true", "false in this cluster", remedy))
    known = has_nearest(settings.version)
    if settings.log_format == "json" and known and JSON_OPTION not in reference(settings.version):
        remedy = f"Airflow {settings.version} writes text only: leave the variable out."
        problems.append(Problem(Code.FD377, "variable airflow_log_format", "json", "text", remedy))
    return problems


def check(hosts: Iterable[Host], settings: Settings) -> list[Problem]:
    """What is wrong with the hosts of the monitoring and with the receivers of alerts."""
    problems = []
    names = [host.name for host in hosts if "monitoring" in host.groups]
    if len(names) > 1:
        remedy = "Each would send every alert: remove the others."
        problems.append(
            Problem(Code.FD380, "group airflow_monitoring", f"hosts {', '.join(names)}", "one host", remedy)
        )
    problems += _check_journals(names, settings)
    required = {
        "airflow_alert_email_host": settings.alert_email_host,
        "airflow_alert_email_from": settings.alert_email_from,
    }
    missing = [name for name, value in required.items() if not value]
    if settings.alert_email_to and missing:
        found = f"recipients without {' and '.join(missing)}"
        remedy = "No e-mail is sent without a server and a sender: set them, or leave all three out."
        problems.append(Problem(Code.FD381, "airflow_alert_email_to", found, "server and sender, too", remedy))
    login = (bool(settings.alert_email_user), bool(settings.alert_email_password))
    if any(login) and not (all(login) and settings.alert_email_starttls):
        missing = [
            *(["airflow_alert_email_user"] if not login[0] else []),
            *(["airflow_alert_email_password"] if not login[1] else []),
            *(["airflow_alert_email_starttls"] if not settings.alert_email_starttls else []),
        ]
        found = f"a login without {' and '.join(missing)}"
        remedy = "A login has a name and a password, and does not travel readable: set what is missing, or none of it."
        problems.append(Problem(Code.FD378, "airflow_alert_email_user", found, "all three, or none", remedy))
    if re.match(r"\w+://[^/?#]*@", settings.alert_webhook_url):
        remedy = "Put the token into the path or the query, as such services do: no login is sent."
        problems.append(Problem(Code.FD381, "airflow_alert_webhook_url", "a URL with a login", "one without", remedy))
    return problems
