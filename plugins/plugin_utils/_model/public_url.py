# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The URL that people open (airflow_url): its parts in the one form that equal URLs share."""

from __future__ import annotations

from urllib.parse import urlsplit

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.addresses import normal_address
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import PublicUrl
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.urls import bracket

DEFAULT_PORTS = {"http": 80, "https": 443}


def public_url(url: str) -> PublicUrl:
    """The parts of ``url``, in which the checks found no fault.

    Scheme and host are in lower case, a port that the scheme implies and slashes at the end of the path are left out.
    Raises ValueError for an invalid host or port.
    """
    parts = urlsplit(url)
    host = bracket(normal_address(str(parts.hostname)))
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    netloc = host if port == DEFAULT_PORTS[parts.scheme] else f"{host}:{port}"
    return PublicUrl(
        scheme="https" if parts.scheme == "https" else "http",
        host=host,
        port=port,
        netloc=netloc,
        path=parts.path.rstrip("/"),
    )


def text(url: PublicUrl) -> str:
    """``url`` as text, without a slash at its end."""
    return f"{url.scheme}://{url.netloc}{url.path}"
