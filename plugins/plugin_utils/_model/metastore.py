# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Airflow's metastore: the managed PostgreSQL, or an external server by its URL.

The only module that distinguishes the engines. A URL is a secret: none of the texts made here repeats a part of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import OPTION_FILE, SYSTEM_CA_FILE
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.versions import nearest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import ClusterMetastore, GivenUrl
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import Config
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.urls import (
    LIBPQ_KEEPALIVE,
    build_url,
    libpq_tls,
)

CONNECT_ARGS = "flightdeck_metastore.connect_args"
# For what a URL is: Airflow's engines, its migrations, Celery's results.
Use: TypeAlias = Literal["sync", "async", "migrations", "results"]
_SCHEMES: Mapping[str, Mapping[Use, str]] = {
    "postgresql": {
        "sync": "postgresql+psycopg2",
        "migrations": "postgresql+psycopg2",
        "async": "postgresql+asyncpg",
        "results": "db+postgresql+psycopg2",
    },
    "mysql": {
        "sync": "mysql+mysqldb",
        "migrations": "mysql+mysqldb",
        "async": "mysql+aiomysql",
        "results": "db+mysql+mysqldb",
    },
}
# CLIENT_MULTI_STATEMENTS and CLIENT_MULTI_RESULTS: Airflow's migrations send several statements at once. Debian's
# driver would ask for both, but takes the version of its client library (MariaDB's connector, 3.3) for that of an old
# MySQL.
_SEVERAL_STATEMENTS = str((1 << 16) | (1 << 17))
_PORTS = {"postgresql": 5432, "mysql": 3306}
# libpq's options that asyncpg understands in a DSN; it takes any other one for a setting of the session.
_DSN_OPTIONS = (
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslcrl",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "target_session_attrs",
)


def given(settings: Settings) -> dict[str, str]:
    """What describes an external server, by the name of the variable; empty values are those that are not given."""
    return {
        "airflow_metastore_url": settings.metastore_url,
        "airflow_metastore_owner_url": settings.metastore_owner_url,
        "airflow_result_backend_url": settings.result_backend_url,
        "airflow_metastore_ca": settings.metastore_ca,
    }


def is_external(settings: Settings) -> bool:
    """Whether the metastore is a server that the collection does not manage."""
    return settings.metastore_engine != "postgresql" or any(given(settings).values())


def driver_url(url: str, use: Use, ca_file: str) -> str:
    """``url`` as the driver for ``use`` takes it.

    ``ca_file`` is the path of the CA certificates that the server is verified by. Options in the URL go over those that
    are set here. Raises KeyError for a scheme that is no engine.
    """
    parts = urlsplit(url)
    own = dict(parse_qsl(parts.query, keep_blank_values=True))
    options = _mysql_options if parts.scheme == "mysql" else _postgresql_options
    return build_url(
        _SCHEMES[parts.scheme][use],
        str(parts.hostname),
        parts.port or _PORTS[parts.scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        path=unquote(parts.path.removeprefix("/")),
        query=options(own, use, ca_file),
    )


def service_file(url: str, ca_file: str) -> str:
    """``url`` as libpq's file of connection services, with the service ``metastore`` and without the password.

    ``ca_file`` is as in ``driver_url``. Raises ValueError for a value of several lines.
    """
    parts = urlsplit(url)
    own = dict(parse_qsl(parts.query, keep_blank_values=True))
    values = {
        "host": str(parts.hostname),
        "port": str(parts.port or _PORTS["postgresql"]),
        "dbname": unquote(parts.path.removeprefix("/")),
        "user": unquote(parts.username or ""),
        **_postgresql_options(own, "migrations", ca_file),
    }
    lines = [f"{name}={value}" for name, value in values.items()]
    if any(len(line.splitlines()) > 1 for line in lines):
        raise ValueError("a part of the URL has several lines")
    return "\n".join(["[metastore]", *lines, ""])


def password_file(url: str) -> str:
    """The password of ``url`` as libpq's password file, for whatever connection."""
    password = unquote(urlsplit(url).password or "")
    return "*:*:*:*:" + re.sub(r"([\\:])", r"\\\1", password) + "\n"


def _postgresql_options(own: Mapping[str, str], use: Use, ca_file: str) -> dict[str, str]:
    tls = libpq_tls(ca_file)
    # With a root certificate libpq verifies, whatever mode is asked for.
    if "sslmode" in own and ca_file == SYSTEM_CA_FILE:
        del tls["sslrootcert"]
    options = {**LIBPQ_KEEPALIVE, **tls, **own}
    if use != "async":
        return options
    # SQLAlchemy hands options to asyncpg as arguments, and of libpq's names these are none; in a DSN they are.
    return {"dsn": f"postgresql://?{urlencode({name: options[name] for name in _DSN_OPTIONS if name in options})}"}


def _mysql_options(own: Mapping[str, str], use: Use, _ca_file: str) -> dict[str, str]:
    common = {"charset": "utf8mb4", "connect_timeout": "5"}
    if use == "async":
        # aiomysql has its TLS from CONNECT_ARGS, and other names for the other options.
        return common
    if use == "migrations":
        # What bounds a query must not end a migration in the middle.
        bounded = {name: value for name, value in own.items() if name not in ("read_timeout", "write_timeout")}
        return {**common, "read_default_file": OPTION_FILE, "client_flag": _SEVERAL_STATEMENTS, **bounded}
    return {**common, "read_default_file": OPTION_FILE, **own}


def share(settings: Settings, own_ca_file: str) -> ClusterMetastore:
    """The metastore as its clients know it.

    ``own_ca_file`` is the path under which ``airflow_metastore_ca`` stands on a host.
    """
    external = is_external(settings)
    return ClusterMetastore(
        engine="mysql" if settings.metastore_engine == "mysql" else "postgresql",
        external=external,
        least_version=nearest(settings.version).least_server[settings.metastore_engine],
        ca_file=own_ca_file if settings.metastore_ca else SYSTEM_CA_FILE,
        # Celery makes its tables when it first needs them, which an account that may only write rows cannot.
        result_tables=external and not settings.result_backend_url,
    )


def logins(settings: Settings, ca_file: str, results: bool) -> tuple[GivenUrl, ...]:
    """The URLs that are given, as a client of the server takes them.

    ``ca_file`` is the path of the CA certificates of the server; the URL of ``results`` is among them only where it is
    used.
    """
    uses: dict[str, Use] = {"metastore_owner_url": "migrations", "metastore_url": "sync"}
    if results:
        uses["result_backend_url"] = "sync"
    urls = given(settings)
    return tuple(_given_url(name, name, use, ca_file) for name, use in uses.items() if urls[f"airflow_{name}"])


def secret_files(settings: Settings, ca_file: str) -> tuple[GivenUrl, ...]:
    """The secret files of Airflow's processes. ``ca_file`` is the path of the CA certificates of the server."""
    results = "result_backend_url" if settings.result_backend_url else "metastore_url"
    return (
        _given_url("sql_alchemy_conn", "metastore_url", "sync", ca_file),
        _given_url("sql_alchemy_conn_async", "metastore_url", "async", ca_file),
        _given_url("result_backend", results, "results", ca_file),
    )


def owner(settings: Settings, ca_file: str) -> GivenUrl:
    """The URL that migrations connect with. ``ca_file`` is the path of the CA certificates of the server."""
    return _given_url(
        "owner", "metastore_owner_url" if settings.metastore_owner_url else "metastore_url", "migrations", ca_file
    )


def _given_url(file: str, secret: str, use: Use, ca_file: str) -> GivenUrl:
    return GivenUrl(file=file, secret=secret, variable=f"airflow_{secret}", use=use, ca_file=ca_file)


def config(settings: Settings, files: Iterable[str]) -> Config:
    """Options of airflow.cfg for a host that has the secret ``files``."""
    if settings.metastore_engine != "mysql" or "sql_alchemy_conn_async" not in files:
        return {}
    return {"database": {"sql_alchemy_connect_args_async": CONNECT_ARGS}}
