# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the metastore's variables. A URL is a secret: no message repeats a part of one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.database_options import OPTIONS, VALUES
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import METASTORE_URLS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import metastore
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import values
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.words import closest


def check(members: int, settings: Settings) -> list[Problem]:
    """Problems of the choice of a metastore.

    ``members`` is the number of hosts in its group; an empty group alone is another check's.
    """
    engine = settings.metastore_engine
    if engine == "mariadb":
        remedy = "Its row locks and migrations are not those of MySQL. Use postgresql, or a server of MySQL itself."
        return [
            Problem(
                Code.FD169,
                "airflow_metastore_engine",
                "mariadb",
                "postgresql or mysql: Airflow does not support MariaDB",
                remedy,
            )
        ]
    if not metastore.is_external(settings):
        return _check_db_clean(settings)
    given = [name for name, value in metastore.given(settings).items() if value]
    if members:
        found = (
            f"{', '.join(given) or f'airflow_metastore_engine {engine}'}, and {members} "
            f"host{'s' if members > 1 else ''} in the group"
        )
        remedy = (
            "Empty the group to use the other server, or remove the variable: data do not move from one to the "
            "other by themselves."
        )
        return [
            Problem(
                Code.FD175,
                "group airflow_metastore",
                found,
                "hosts for PostgreSQL, or the URL of another server",
                remedy,
            )
        ]
    return [*_check_given(engine, settings), *_check_unused(settings), *_check_db_clean(settings)]


def _check_given(engine: str, settings: Settings) -> list[Problem]:
    problems = []
    form = f"{engine}://account:password@host:port/database"
    given = metastore.given(settings)
    for name in METASTORE_URLS:
        url = given[f"airflow_{name}"]
        needed = "nothing" if name == "metastore_url" else None
        fault = url_problem(url, engine) if url else needed
        if fault:
            found = fault if fault == "nothing" else f"a URL with {fault}"
            remedy = "Write special characters of account and password percent-encoded: '@' is %40."
            problems.append(Problem(Code.FD176, f"airflow_{name}", found, form, remedy))
    if settings.metastore_ca and not values.is_certificate(settings.metastore_ca):
        remedy = "Give the text itself, for example by lookup('ansible.builtin.file', path)."
        problems.append(
            Problem(Code.FD176, "airflow_metastore_ca", "no certificate", "certificates as PEM text", remedy)
        )
    return problems


def _check_unused(settings: Settings) -> list[Problem]:
    pooler = "PgBouncer is for the managed server: put a pooler of your own before yours, and name it in the URL."
    unused = (
        ("airflow_pgbouncer", settings.pgbouncer, pooler),
        ("airflow_postgresql_config", settings.postgresql_config, "Set it on your server."),
    )
    return [
        Problem(Code.FD177, name, "a value", "none, because the metastore is external", remedy)
        for name, value, remedy in unused
        if value
    ]


def _check_db_clean(settings: Settings) -> list[Problem]:
    """Problems of the regular removal of old rows."""
    problems = []
    variable = "airflow_db_clean"
    if settings.db_clean and (metastore.is_external(settings) or settings.major < 3):
        found = "true with " + ("an external metastore" if metastore.is_external(settings) else "Airflow 2")
        remedy = "Leave it off, and run flightdeck.airflow.db_clean."
        problems.append(Problem(Code.FD340, variable, found, "the managed metastore and Airflow 3", remedy))
    if settings.db_clean and settings.db_clean_days * 86400 <= settings.max_task_seconds:
        found = f"{settings.db_clean_days}, where a task may take {settings.max_task_seconds} s"
        remedy = "Rows of running tasks would go: keep them for longer."
        problems.append(
            Problem(Code.FD341, f"{variable}_days", found, "more days than airflow_max_task_seconds", remedy)
        )
    wrong = [name for name in settings.db_clean_tables if not re.fullmatch(r"[a-z_][a-z0-9_]*", name)]
    if wrong:
        remedy = "`airflow db clean --help` lists them."
        problems.append(Problem(Code.FD342, f"{variable}_tables", ", ".join(sorted(wrong)), "names of tables", remedy))
    return problems


def url_problem(url: str, engine: str) -> str | None:
    """The fault of the URL of a server of ``engine``, which it does not repeat; None for a good one."""
    if fault := values.url_problem(url, [engine]):
        return fault
    parts = urlsplit(url)
    if parts.fragment:
        return "a '#', which has to be %23"
    if not parts.username:
        return "no account"
    if not re.fullmatch(r"/[^/]+", parts.path):
        return "no database"
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if engine == "mysql" and any(option.startswith(("ssl", "read_default")) for option in given):
        return "an option of TLS, which is always used; the CA goes into airflow_metastore_ca"
    return _option_fault(given, engine)


def _option_fault(given: Mapping[str, str], engine: str) -> str | None:
    """The fault of the options in a URL. Their names are no secret; a value is not repeated."""
    known = OPTIONS.get(engine, frozenset())
    for option, value in given.items():
        if option not in known:
            close = closest(option, known)
            shown = option if re.fullmatch(r"\w{1,40}", option) else "without a name"
            return f"an option {shown} in its query that {engine} does not know" + (
                f" ({close} is one)" if close else ""
            )
        if option in VALUES and value not in VALUES[option]:
            return f"an unknown value of {option} (known are {', '.join(VALUES[option])})"
    return None
