# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection URLs with every part quoted, whatever a password holds."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

# Noticed within 25 s when the peer vanishes without a reset: 10 s idle, then 3 probes 5 s apart. Names are libpq's.
LIBPQ_KEEPALIVE = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}


def libpq_tls(ca_file: str) -> dict[str, str]:
    """libpq's options for an encrypted connection to a server whose name is verified; ``ca_file`` is the path of
    the CA certificates."""
    return {"sslmode": "verify-full", "sslrootcert": ca_file}


def bracket(host: str) -> str:
    """``host`` as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def build_url(
    scheme: str,
    host: str,
    port: int,
    *,
    user: str = "",
    password: str = "",
    path: str = "",
    query: Mapping[str, str] | None = None,
) -> str:
    """A URL of ``scheme``, whose ``user``, ``password`` and ``path`` are percent-encoded as UTF-8.

    ``host`` is a name or an address, IPv6 with or without brackets. ``port`` 0 is left out, and without a user the
    password. ``path`` is one segment (a database or a virtual host), so a slash in it is encoded too. ``query`` are
    options by name.
    """
    credentials = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    tail = f"?{urlencode(query)}" if query else ""
    return f"{scheme}://{credentials}{bracket(host)}{f':{port}' if port else ''}/{quote(path, safe='')}{tail}"
