# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the variables for logs in an object store. No message holds a value of the connection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import remote_logs
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.options import GivenOption
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.words import closest, kind_of

_URL = re.compile(r"(s3|gs|wasb)://[A-Za-z0-9][A-Za-z0-9._-]{1,62}(/[A-Za-z0-9._=+@-]+)*/?")
_KEYS = {"login": str, "password": str, "host": str, "port": int, "schema": str, "extra": Mapping}
_NAMES, _CONNECTION = "airflow_remote_logs", "airflow_remote_logs_connection"


def check(url: str, connection: Mapping[str, object], options: Mapping[str, Mapping[str, object]]) -> list[Problem]:
    """Problems of both variables; ``options`` are the user's of airflow.cfg."""
    return [*_check_url(url), *_check_connection(url, connection, options), *_check_options(url, options)]


def given(url: str) -> list[GivenOption]:
    """The options that follow from ``url``, for the check of the packages that they need."""
    return [
        GivenOption(_NAMES, section, option, value)
        for section, found in remote_logs.config(url).items()
        for option, value in found.items()
    ]


def _check_url(url: str) -> Iterator[Problem]:
    if not url or _URL.fullmatch(url):
        return
    scheme = urlsplit(url).scheme
    known = scheme in remote_logs.TYPES
    remedy = "Correct it; a login belongs into airflow_remote_logs_connection."
    if not known:
        remedy = "Other stores are options of airflow_config: see docs/logs.md."
    yield Problem(
        Code.FD291,
        _NAMES,
        f"a URL of another form with scheme {scheme}" if known else "a URL of another scheme",
        "s3://bucket/path, gs://bucket/path or wasb://container/path",
        remedy,
    )


def _check_connection(
    url: str, connection: Mapping[str, object], options: Mapping[str, Mapping[str, object]]
) -> Iterator[Problem]:
    if url and not connection and not options.get("logging", {}).get("remote_log_conn_id"):
        remedy = (
            "Give login and password, or {extra: {region_name: ...}} where the machines have a role, or name another "
            "connection as logging.remote_log_conn_id in airflow_config."
        )
        yield Problem(Code.FD292, _CONNECTION, "nothing", "the credentials of the object store", remedy)
    yield from check_fields(Code.FD293, _CONNECTION, connection)


def check_fields(code: Code, place: str, connection: Mapping[str, object]) -> Iterator[Problem]:
    """Problems with ``code`` of the fields of a ``connection`` at ``place`` in the inventory."""
    for key, value in connection.items():
        where = f"{place}.{key}"
        if key not in _KEYS:
            close = closest(str(key), _KEYS)
            remedy = f"Did you mean {close}?" if close else "Options of the provider belong into extra."
            yield Problem(code, where, "an unknown key", f"one of {', '.join(_KEYS)}", remedy)
        elif not isinstance(value, _KEYS[key]) or isinstance(value, bool):
            expected = {str: "text", int: "a number", Mapping: "a dictionary"}[_KEYS[key]]
            yield Problem(code, where, kind_of(value), expected, "Correct it: Airflow could not read it.")


def _check_options(url: str, options: Mapping[str, Mapping[str, object]]) -> Iterable[Problem]:
    own = [name for name in ("remote_logging", "remote_base_log_folder") if name in options.get("logging", {})]
    return [
        Problem(
            Code.FD294,
            f"airflow_config.logging.{name}",
            "a second place for the logs of tasks",
            "either this option or airflow_remote_logs",
            "Leave one of them out.",
        )
        for name in own
        if url
    ]
