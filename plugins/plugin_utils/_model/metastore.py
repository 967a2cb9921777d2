"""Airflow's metastore: the collection's own PostgreSQL, or an external server by its URL.

The only place that knows one engine from another. A URL is a secret: none of the texts made here repeats a part of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import OPTION_FILE, SYSTEM_AUTHORITIES
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import METASTORE_GIVEN
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.versions import VERSIONS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.urls import LIBPQ_KEEPALIVE, build_url, libpq_tls

CONNECT_ARGS = "flightdeck_metastore.connect_args"
_SCHEMES = {
    "postgresql": {
        "sync": "postgresql+psycopg2",
        "migrations": "postgresql+psycopg2",
        "async": "postgresql+asyncpg",
        "results": "db+postgresql+psycopg2",
    },
    "mysql": {"sync": "mysql+mysqldb", "migrations": "mysql+mysqldb", "async": "mysql+aiomysql", "results": "db+mysql+mysqldb"},
}
# CLIENT_MULTI_STATEMENTS and CLIENT_MULTI_RESULTS: Airflow's migrations send several statements at once. Debian's driver would ask for
# both, but takes the version of its client library (MariaDB's connector, 3.3) for that of an old MySQL.
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


def is_external(settings: Mapping[str, Any]) -> bool:
    """Whether the metastore is a server that the collection does not manage."""
    return settings["airflow_metastore_engine"] != "postgresql" or any(settings[f"airflow_{name}"] for name in METASTORE_GIVEN)


def driver_url(url: str, use: str, authority: str) -> str:
    """``url`` as the driver for ``use`` (sync, migrations, async or results) takes it.

    ``authority`` is the path of who vouches for the server. What the URL says itself goes over what is set here. Raises KeyError
    for another ``use``.
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
        query=options(own, use, authority),
    )


def _postgresql_options(own: Mapping[str, str], use: str, authority: str) -> dict[str, str]:
    tls = libpq_tls(authority)
    # With a root certificate libpq verifies, whatever mode is asked for.
    if "sslmode" in own and authority == SYSTEM_AUTHORITIES:
        del tls["sslrootcert"]
    options = {**LIBPQ_KEEPALIVE, **tls, **own}
    if use != "async":
        return options
    # SQLAlchemy hands options to asyncpg as arguments, and of libpq's names these are none; in a DSN they are.
    return {"dsn": f"postgresql://?{urlencode({name: options[name] for name in _DSN_OPTIONS if name in options})}"}


def _mysql_options(own: Mapping[str, str], use: str, _authority: str) -> dict[str, str]:
    common = {"charset": "utf8mb4", "connect_timeout": "5"}
    if use == "async":
        # aiomysql has its TLS from CONNECT_ARGS, and other names for the other options.
        return common
    if use == "migrations":
        # What bounds a query must not end a migration in the middle.
        bounded = {name: value for name, value in own.items() if name not in ("read_timeout", "write_timeout")}
        return {**common, "read_default_file": OPTION_FILE, "client_flag": _SEVERAL_STATEMENTS, **bounded}
    return {**common, "read_default_file": OPTION_FILE, **own}


def share(settings: Mapping[str, Any], own_authority: str) -> dict[str, Any]:
    """What roles need to know of the metastore. ``own_authority`` is the path under which ``airflow_metastore_ca`` stands on a host."""
    engine, external = str(settings["airflow_metastore_engine"]), is_external(settings)
    return {
        "engine": engine,
        "external": external,
        "least_version": VERSIONS[str(settings["airflow_version"])].least_server[engine],
        "authority": own_authority if settings["airflow_metastore_ca"] else SYSTEM_AUTHORITIES,
        # Celery makes its tables when it first needs them, which an account that may only write rows cannot.
        "result_tables": external and not settings["airflow_result_backend_url"],
    }


def logins(settings: Mapping[str, Any], authority: str, results: bool) -> list[dict[str, Any]]:
    """Descriptions of the URLs that are given, with the name of the variable; that of ``results`` only where they are used."""
    uses = {"metastore_owner_url": "migrations", "metastore_url": "sync", **({"result_backend_url": "sync"} if results else {})}
    given = {name: use for name, use in uses.items() if settings[f"airflow_{name}"]}
    return [{"variable": f"airflow_{name}", **_described(name, name, use, authority)} for name, use in given.items()]


def secret_files(settings: Mapping[str, Any], authority: str) -> list[dict[str, Any]]:
    """Descriptions of the secret files of Airflow's processes, as in the cluster model."""
    results = "result_backend_url" if settings["airflow_result_backend_url"] else "metastore_url"
    return [
        _described("sql_alchemy_conn", "metastore_url", "sync", authority),
        _described("sql_alchemy_conn_async", "metastore_url", "async", authority),
        _described("result_backend", results, "results", authority),
    ]


def owner(settings: Mapping[str, Any], authority: str) -> dict[str, Any]:
    """The description of what migrations connect as."""
    secret = "metastore_owner_url" if settings["airflow_metastore_owner_url"] else "metastore_url"
    return _described("owner", secret, "migrations", authority)


def _described(file: str, secret: str, use: str, authority: str) -> dict[str, Any]:
    return {"file": file, "secret": secret, "use": use, "authority": authority}


def config(settings: Mapping[str, Any], files: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Options of airflow.cfg for a host that has the secret ``files``."""
    if settings["airflow_metastore_engine"] != "mysql" or "sql_alchemy_conn_async" not in files:
        return {}
    return {"database": {"sql_alchemy_connect_args_async": CONNECT_ARGS}}
