# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kerberos on the hosts that renew a ticket: options of airflow.cfg, and what tasks find it by."""

from __future__ import annotations

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import (
    KERBEROS_CACHE,
    KERBEROS_CONFIG,
    KERBEROS_KEYTAB,
    KINIT,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import Config
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings


def config(host: Host, settings: Settings) -> Config:
    """Options of airflow.cfg on ``host``; none where it renews no ticket."""
    if "kerberos" not in host.groups:
        return {}
    return {
        # What the hooks of providers ask.
        "core": {"security": "kerberos"},
        "kerberos": {
            "principal": host.kerberos_principal,
            "keytab": KERBEROS_KEYTAB,
            "ccache": KERBEROS_CACHE,
            "kinit_path": KINIT,
            "reinit_frequency": settings.kerberos_renew_seconds,
            # A ticket that names addresses is of no use behind NAT, nor on a host that has several.
            "include_ip": False,
        },
    }


def environment(host: Host, settings: Settings) -> dict[str, str]:
    """Variables of the processes of ``host``, none where it renews no ticket.

    Without a configuration of ours the libraries read Debian's own, /etc/krb5.conf.
    """
    if "kerberos" not in host.groups:
        return {}
    own = settings.kerberos_realm or settings.kerberos_config_file
    return {"KRB5CCNAME": f"FILE:{KERBEROS_CACHE}", **({"KRB5_CONFIG": KERBEROS_CONFIG} if own else {})}
