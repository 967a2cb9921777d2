# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that the query of a metastore's URL may have, by engine: those of libpq and of mysqlclient."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# An option that a driver does not know ends its connection.
OPTIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "postgresql": frozenset(
            {
                "application_name",
                "channel_binding",
                "client_encoding",
                "connect_timeout",
                "fallback_application_name",
                "gssdelegation",
                "gssencmode",
                "gsslib",
                "hostaddr",
                "keepalives",
                "keepalives_count",
                "keepalives_idle",
                "keepalives_interval",
                "krbsrvname",
                "load_balance_hosts",
                "options",
                "passfile",
                "require_auth",
                "requirepeer",
                "sslcert",
                "sslcertmode",
                "sslcompression",
                "sslcrl",
                "sslcrldir",
                "sslkey",
                "sslmode",
                "sslpassword",
                "sslrootcert",
                "sslsni",
                "ssl_max_protocol_version",
                "ssl_min_protocol_version",
                "target_session_attrs",
                "tcp_user_timeout",
            }
        ),
        "mysql": frozenset(
            {
                "auth_plugin",
                "charset",
                "client_flag",
                "collation",
                "compress",
                "connect_timeout",
                "init_command",
                "read_timeout",
                "sql_mode",
                "use_unicode",
                "write_timeout",
            }
        ),
    }
)
# All values of an option.
VALUES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "channel_binding": ("disable", "prefer", "require"),
        "gssencmode": ("disable", "prefer", "require"),
        "load_balance_hosts": ("disable", "random"),
        "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
        "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    }
)
