# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a database server can be Airflow's metastore, judged by what it says about itself. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Which process of the server a connection has, and which one a second connection has while the first is open.
SESSION, SECOND = "session", "second_session"
# What to ask a server of each engine, and what the answer has to be.
QUERIES: dict[str, dict[str, str]] = {
    "postgresql": {"version": "SELECT version()", SESSION: "SELECT pg_backend_pid()"},
    "mysql": {
        "version": "SELECT version()",
        # Not SELECT @@name, which fails on a server that has no such variable any more.
        "explicit_defaults_for_timestamp": "SHOW VARIABLES LIKE 'explicit_defaults_for_timestamp'",
        "character_set_database": "SHOW VARIABLES LIKE 'character_set_database'",
        "log_bin": "SHOW VARIABLES LIKE 'log_bin'",
        "log_bin_trust_function_creators": "SHOW VARIABLES LIKE 'log_bin_trust_function_creators'",
        # 1 when the tables are Airflow 2's, whose task instances have no identifier of their own.
        "airflow_2": """
            SELECT count(*) FROM information_schema.tables AS made
            WHERE table_schema = database() AND table_name = 'task_instance' AND NOT EXISTS (
                SELECT 1 FROM information_schema.columns AS found
                WHERE found.table_schema = made.table_schema AND found.table_name = made.table_name
                AND found.column_name = 'id')""",
    },
}
_WANTED = {"explicit_defaults_for_timestamp": "ON", "character_set_database": "utf8mb4"}
_VERSION = {"postgresql": re.compile(r"PostgreSQL (\d+)(?:\.(\d+))?"), "mysql": re.compile(r"(\d+)\.(\d+)")}


def server_problem(variable: str, engine: str, least: str, major: int, said: Mapping[str, str]) -> str | None:
    """Why the server is refused for Airflow ``major``, with the code of the problem; None when it is not.

    Its URL is that of ``variable``. ``least`` is the oldest version that is supported. ``said`` holds the last column
    of the first row that answers each of the QUERIES of ``engine``, or nothing, and the second connection's SESSION.
    """
    version = said["version"]
    if "mariadb" in version.lower():
        remedy = "Airflow does not support it: its row locks and migrations are not those of MySQL."
        return (
            f"FD169 the server of {variable}: found MariaDB ({version}); expected PostgreSQL, or MySQL itself. {remedy}"
        )
    found = _VERSION[engine].match(version)
    if not found or _numbers(*found.groups("0")) < _numbers(*least.split(".")):
        return (
            f"FD178 the server of {variable}: found {version[:80]}; expected {engine} {least} or newer. Upgrade "
            "the server."
        )
    if said.get(SESSION) and said[SESSION] == said.get(SECOND):
        remedy = "Set pool_mode = session in PgBouncer, or name the server itself: Airflow uses locks of a session."
        return (
            f"FD178 the server of {variable}: found a pooler that gives one session to two clients; expected a "
            f"session for each. {remedy}"
        )
    wrong = [f"{name} = {said[name]}" for name, value in _WANTED.items() if said.get(name, value) not in ("", value)]
    if wrong:
        wanted = ", ".join(f"{name} = {value}" for name, value in _WANTED.items())
        return (
            f"FD178 the server of {variable}: found {', '.join(wrong)}; expected {wanted}. Set it, or alter the "
            "database."
        )
    trust = "log_bin_trust_function_creators"
    if major > 2 and said.get("airflow_2") == "1" and (said["log_bin"], said[trust]) == ("ON", "OFF"):
        state = f"found {trust} = OFF, a binary log and the tables of Airflow 2; expected ON while they are migrated"
        reason = "A migration makes a function, and MySQL cannot take back one that ends in the middle"
        remedy = f"SET GLOBAL {trust} = 1 as the server's administrator, and 0 afterwards"
        return f"FD178 the server of {variable}: {state}. {reason}. {remedy}."
    return None


def _numbers(*parts: str) -> list[int]:
    return [int(part) for part in (*parts, "0")[:2]]
