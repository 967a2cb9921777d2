# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Warnings about what has no effect: the cluster works, and does something else than the inventory seems to say."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.option_values import WITHOUT_EFFECT
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.options import GivenOption
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.packages import is_on
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem


def check_balancers(hosts: Iterable[Host], settings: Settings) -> list[Problem]:
    """Load balancers that no host of the cluster uses: without a virtual IP, hosts without their own use the first."""
    hosts = list(hosts)
    balancers = [host for host in hosts if "haproxy" in host.groups]
    idle = [host.name for host in balancers[1:] if not host.components]
    if settings.vip or not idle or all("haproxy" in host.groups for host in hosts if host.components):
        return []
    found = f"{', '.join(idle)}, which no host of the cluster uses: without airflow_vip all use {balancers[0].name}"
    remedy = "Set airflow_vip, put every Airflow host into airflow_haproxy, or remove the others."
    return [Problem(Code.FD148, "group airflow_haproxy", found, "load balancers that take each other's place", remedy)]


def check_options(options: Iterable[GivenOption], *, renews: bool = False) -> list[Problem]:
    """Options of one host that do nothing in this deployment. ``renews`` says whether the host renews a ticket of
    Kerberos."""
    given = {one.name: one for one in options}
    problems = []
    for section in WITHOUT_EFFECT:
        unused = [one for one in given.values() if one.section == section]
        if unused:
            remedy = "Remove them: the collection runs Celery workers."
            where = (
                unused[0].where.rpartition(".")[0] if unused[0].where.startswith("airflow_config.") else unused[0].where
            )
            problems.append(Problem(Code.FD148, where, "options of an executor that is not used", "none", remedy))
    local, remote = (given.get(f"logging.{name}") for name in ("delete_local_logs", "remote_logging"))
    if local and is_on(local.value) and not (remote and is_on(remote.value)):
        remedy = "Set logging.remote_logging, too: logs are deleted here only after they were copied."
        problems.append(Problem(Code.FD148, local.where, "true, without remote_logging", "both or none", remedy))
    security = given.get("core.security")
    if security and str(security.value) == "kerberos" and not renews:
        remedy = "Put the hosts whose tasks need tickets into airflow_kerberos; see docs/kerberos.md."
        problems.append(
            Problem(Code.FD148, security.where, "kerberos, and nothing that renews tickets", "a renewer", remedy)
        )
    return problems
