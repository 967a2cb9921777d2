"""Databases that the collection does not manage: asked by their own root, and from hosts of the cluster with what
Airflow has."""

from __future__ import annotations

import json
from typing import Any

import testinfra
from cluster_access import Access
from testinfra.host import Host

_SERVERS = {"postgresql": "pg1", "mysql": "mysql1"}
_CLIENTS = {
    "postgresql": "runuser --user postgres -- psql --no-align --tuples-only --quiet --dbname=airflow --command=%s",
    "mysql": "mysql --skip-column-names --batch --database=airflow --execute=%s",
}
# The URL by its file, never as an argument; parts of it in the place of its own.
_LOGIN = """
import json, sys
from sqlalchemy import create_engine, make_url, text
url = make_url(open("/etc/airflow/secrets/" + sys.argv[1]).read().removeprefix("db+"))
parts = json.loads(sys.argv[3])
url = url.update_query_dict(parts.pop("query", {})).set(**parts)
with create_engine(url).begin() as connection:
    print(connection.execute(text(sys.argv[2])).first()[-1])
"""
_ASYNC = """
import asyncio, sys
from airflow import settings
from sqlalchemy import text
async def ask():
    async with settings.async_engine.connect() as connection:
        return (await connection.execute(text(sys.argv[1]))).first()[-1]
print("ANSWER", asyncio.run(ask()))
"""


def database_server(cluster: Access, engine: str) -> Host:
    """The host of the server, which is not of the cluster, and so not among its containers."""
    return testinfra.get_host(f"docker://{cluster.containers['master1'].replace('master1', _SERVERS[engine])}")


def as_root(host: Host, engine: str, query: str) -> list[str]:
    """Lines that the server on ``host`` answers to its root."""
    return str(host.check_output(_CLIENTS[engine], query)).splitlines()


def _python(host: Host, script: str, *arguments: str) -> tuple[int, str, str]:
    """Code, output and errors of ``script`` in the release of an Airflow host, with the account and environment of
    its services."""
    words = " ".join(["%s"] * (len(arguments) + 1))
    python = "/usr/sbin/runuser --user airflow -- /opt/airflow/current/bin/python"
    done = host.run(f"cd /; set -a; . /etc/airflow/environment; exec {python} -c {words}", script, *arguments)
    return done.rc, done.stdout, done.stderr


def as_airflow(host: Host, file: str, query: str, parts: dict[str, Any] | None = None) -> tuple[int, str, str]:
    """What becomes of ``query`` by the URL in the secret ``file`` of an Airflow host: code, last column of the first
    row, errors.

    ``parts`` of the URL (host, port, query) take the place of its own.
    """
    return _python(host, _LOGIN, file, query, json.dumps(parts or {}))


def by_the_async_engine(host: Host, query: str) -> str:
    """What Airflow's async engine gets on an Airflow host: last column of the first row."""
    code, out, errors = _python(host, _ASYNC, query)
    assert code == 0, errors
    return next(line.removeprefix("ANSWER").strip() for line in out.splitlines() if line.startswith("ANSWER"))
