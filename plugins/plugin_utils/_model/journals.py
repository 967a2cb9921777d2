# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journals of all hosts on the monitoring host, and the form of what Airflow writes to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import SIZE_UNITS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Journal, JournalReceiver
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import Config
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.urls import bracket

# Of airflow.cfg. Versions before 3.2 do not have it.
JSON_OPTION = "logging.json_logs"
# Letters of a name that a certificate has room for.
_COMMON_NAME = 64


def sender(servers: Sequence[Host], settings: Settings) -> Journal | None:
    """The share of a host that sends its journal to the first of ``servers``, those of the monitoring."""
    if not settings.journals or not servers:
        return None
    return Journal(url=f"https://{bracket(servers[0].address)}:{settings.ports['airflow_journal_port']}")


def receiver(host: Host, hosts: Iterable[Host], settings: Settings) -> JournalReceiver | None:
    """The share of ``host`` when it receives the journals of ``hosts``."""
    if not settings.journals or "monitoring" not in host.groups:
        return None
    size = settings.journal_max_size
    return JournalReceiver(
        port=settings.ports["airflow_journal_port"],
        hosts={each.name[:_COMMON_NAME]: each.name for each in hosts},
        retention_days=settings.journal_retention_days,
        max_bytes=int(size[:-1]) * SIZE_UNITS[size[-1]] if size[-1].isalpha() else int(size),
    )


def config(settings: Settings) -> Config:
    """Options by which Airflow's services write JSON."""
    return {"logging": {"json_logs": True}} if settings.log_format == "json" else {}
