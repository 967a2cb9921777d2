"""Checks of airflow.cfg options against what the very Airflow that is deployed knows.

The references in ``_catalog/options/<version>.json`` hold names and types; ``.config/reference_options.py`` makes them
from the installed packages. Airflow itself accepts every name in silence, so a misspelt or moved option would be
without effect.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.airflow_options import (
    Reference,
    reference,
    versions,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import LOG_PORTS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import data
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem

_SECTION_NAME = re.compile(r"[a-z][a-z0-9_.]*")
_OPTION_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_ENVIRONMENT = re.compile(r"AIRFLOW__([A-Z0-9_]+?)__([A-Z0-9_]+)")
# A URL with a user and a password, and names under which a password would stand.
_CREDENTIALS = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
SECRET_NAME = re.compile(
    r"(^|_)(password|passwd|secret|secret_id|secret_key|secret_access_key|token|api_key|private_key)$", re.IGNORECASE
)
_BOOLEANS = ("t", "true", "1", "f", "false", "0")
# Options that follow from the cluster, and what to set instead.
_URLS = "The collection makes this URL from the inventory: leave it out."
OWNED = {
    "core.executor": "The collection runs Celery workers: leave it out.",
    "core.auth_manager": "The administrator's account and the canary need the FAB auth manager: leave it out.",
    "core.dags_folder": "Set airflow_dags_dir to the directory on the controller.",
    "core.execution_api_server_url": _URLS,
    "core.fernet_key": "Set airflow_fernet_key.",
    "core.hostname_callable": "Set airflow_address on the host.",
    "database.sql_alchemy_conn": _URLS,
    "database.sql_alchemy_conn_async": _URLS,
    "celery.broker_url": "Set airflow_broker_url, or leave it out: the collection makes this URL from the inventory.",
    "celery.result_backend": _URLS,
    **dict.fromkeys(
        ("celery.ssl_active", "celery.ssl_cacert", "celery.ssl_cert", "celery.ssl_key", "celery.ssl_mutual_tls"),
        "Set airflow_tls, or airflow_broker_ca for an external broker.",
    ),
    "celery.worker_concurrency": (
        "Set airflow_worker_concurrency, or the concurrency of a queue in airflow_worker_queues."
    ),
    "celery_broker_transport_options.is_secure": "Set airflow_sqs_endpoint_url.",
    "celery_broker_transport_options.predefined_queues": "Set airflow_sqs_queues.",
    "celery_broker_transport_options.region": "Set airflow_sqs_region.",
    "celery_broker_transport_options.visibility_timeout": (
        "Set airflow_max_task_seconds, or airflow_sqs_visibility_timeout_seconds."
    ),
    "celery.worker_enable_remote_control": (
        "The health check asks the worker which queues it consumes from: leave it out."
    ),
    "api.base_url": "Set airflow_url.",
    "api.host": "The load balancers reach the server under the host's address: leave it out.",
    "api.port": "Set airflow_webserver_port.",
    "api.workers": "Set airflow_webserver_workers.",
    "api.ssl_cert": "The collection decides how the load balancers reach the server: leave it out.",
    "api.ssl_key": "The collection decides how the load balancers reach the server: leave it out.",
    "api.secret_key": "Set airflow_api_secret_key.",
    "api_auth.jwt_secret": "Set airflow_jwt_secret.",
    "webserver.base_url": "Set airflow_url.",
    "webserver.web_server_host": "The load balancers reach the server under the host's address: leave it out.",
    "webserver.web_server_port": "Set airflow_webserver_port.",
    "webserver.workers": "Set airflow_webserver_workers.",
    "webserver.web_server_ssl_cert": "The collection decides how the load balancers reach the server: leave it out.",
    "webserver.web_server_ssl_key": "The collection decides how the load balancers reach the server: leave it out.",
    "webserver.secret_key": "Set airflow_api_secret_key.",
    "logging.base_log_folder": "Set airflow_log_dir.",
    **{f"logging.{port.log_option}": f"Set {port.variable}." for port in LOG_PORTS.values()},
    "scheduler.standalone_dag_processor": "The collection runs DAG processors of their own: leave it out.",
}


def check_config(config: Mapping[str, Any], version: str, extra_sections: Iterable[str] = ()) -> list[Problem]:
    """Problems of ``airflow_config`` for Airflow ``version``.

    Sections in ``extra_sections`` belong to packages or plugins of the user: only their form is checked.
    """
    known = reference(version)
    extra = {str(name) for name in extra_sections}
    problems: list[Problem] = []
    for section, options in config.items():
        where = f"airflow_config.{section}"
        if not isinstance(section, str) or not _SECTION_NAME.fullmatch(section):
            problems.append(
                _form(
                    where,
                    repr(section),
                    "a section's name in lower case",
                    "Write the name as Airflow's reference does.",
                )
            )
            continue
        if not isinstance(options, Mapping):
            problems.append(
                _form(where, _kind(options), "a dictionary {option: value}", "Indent the options below their section.")
            )
            continue
        if _is_unknown(section, options, known) and section not in extra:
            problems.append(_unknown_section(section, known))
            continue
        for option, value in options.items():
            problems += _check_option(f"{where}.{option}", section, option, value, known, section in extra)
    return problems


def check_environment(
    environment: Mapping[str, Any], version: str, extra_sections: Iterable[str] = ()
) -> list[Problem]:
    """Problems of the ``AIRFLOW__SECTION__OPTION`` names in ``airflow_environment``: they win over airflow.cfg."""
    known = reference(version)
    extra = {str(name) for name in extra_sections}
    problems: list[Problem] = []
    for name, section, option, value in environment_options(environment, version):
        if section in extra:
            continue
        where = f"airflow_environment.{name}"
        if section not in known.sections and _is_unknown(section, {option: value}, known):
            problems.append(_unknown_section(section, known, where))
        else:
            problems += _check_option(where, section, option, value, known, False)
    return problems


def environment_options(environment: Mapping[str, Any], version: str) -> Iterator[tuple[str, str, str, Any]]:
    """(name, section, option, value) of every variable that stands for an option.

    A dot of a section is an underscore in its variable.
    """
    sections = {section.replace(".", "_"): section for section in reference(version).sections}
    for name, value in environment.items():
        if match := _ENVIRONMENT.fullmatch(str(name)):
            section = match[1].lower()
            yield str(name), sections.get(section, section), match[2].lower(), value


def with_environment(
    config: Mapping[str, Mapping[str, Any]], environment: Mapping[str, Any], version: str
) -> dict[str, dict[str, Any]]:
    """The effective options: a value from the environment replaces that of airflow.cfg."""
    found = {section: dict(options) for section, options in config.items()}
    for _name, section, option, value in environment_options(environment, version):
        found.setdefault(section, {})[option] = value
    return found


def _form(where: str, found: str, expected: str, remedy: str) -> Problem:
    return Problem(Code.FD130, where, found, expected, remedy)


def _is_unknown(section: str, options: Mapping[Any, Any], known: Reference) -> bool:
    """Whether no version knows ``section``, not even as the former place of one of ``options``."""
    if section in known.sections:
        return False
    return not any(_migration(f"{section}.{option}", known) for option in options)


def _migration(name: str, known: Reference) -> tuple[str, str] | None:
    """What became of an option that ``known`` lacks: ('moved', new name), ('removed', reason), or None when no
    version has it."""
    if new := known.renamed.get(name):
        return "moved", new
    if name in known.removed:
        return "removed", f"removed before Airflow {known.version}"
    base = re.sub(r"_(cmd|secret)$", "", name)
    if base != name and (new := known.renamed.get(base)) and "sensitive" in known.words(*_split(new)):
        return "moved", new + name.removeprefix(base)
    for version in versions():
        other = reference(version)
        if version == known.version or name not in other:
            continue
        older = [old for old, new in other.renamed.items() if new == name and old in known]
        if older:
            return "moved", older[0]
        return "removed", f"an option of Airflow {version}, which Airflow {known.version} does not have"
    return None


def _split(name: str) -> tuple[str, str]:
    section, _, option = name.rpartition(".")
    return section, option


def _unknown_section(section: str, known: Reference, where: str = "") -> Problem:
    close = difflib.get_close_matches(section, known.sections, n=1)
    own = "If one of your packages or plugins reads it, add it to airflow_config_extra_sections."
    return Problem(
        Code.FD131,
        where or f"airflow_config.{section}",
        "an unknown section",
        f"a section of Airflow {known.version}",
        f"Did you mean {close[0]}? {own}" if close else own,
    )


def _check_option(where: str, section: str, option: Any, value: Any, known: Reference, extra: bool) -> list[Problem]:
    if not isinstance(option, str) or not _OPTION_NAME.fullmatch(option):
        return [
            _form(where, f"{option!r} as an option's name", "letters, digits, '_', '.' or '-'", "Correct the name.")
        ]
    if isinstance(value, str) and "\0" in value:
        return [_form(where, "a NUL character", "text without one", "Remove it.")]
    if owner := _owner(section, option):
        return [
            Problem(Code.FD134, where, "an option that the collection sets", "to leave it to the collection", owner)
        ]
    words = known.words(section, option)
    if not words and not extra and section not in known.free_sections:
        return [_unknown_option(where, section, option, known)]
    if value is None:
        return []
    if secret := _plain_secret(where, section, option, value, words):
        return [secret]
    return _check_value(where, f"{section}.{option}", value, words or ["any"], known)


def _owner(section: str, option: str) -> str:
    name = f"{section}.{option}"
    return OWNED.get(name) or OWNED.get(re.sub(r"_(cmd|secret)$", "", name), "")


def _unknown_option(where: str, section: str, option: str, known: Reference) -> Problem:
    name = f"{section}.{option}"
    migration = _migration(name, known)
    if migration and migration[0] == "moved":
        owner = _owner(*_split(migration[1]))
        return Problem(
            Code.FD132,
            where,
            f"a name that Airflow {known.version} does not read",
            migration[1],
            owner or f"Write it as {migration[1]}, and check what its value means there.",
        )
    if migration:
        return Problem(
            Code.FD133,
            where,
            migration[1],
            f"an option of Airflow {known.version}",
            "Remove it: it would have no effect.",
        )
    close = difflib.get_close_matches(option, known.sections[section], n=1)
    elsewhere = [other for other, options in known.sections.items() if option in options]
    if close:
        remedy = f"Did you mean {section}.{close[0]}?"
    elif elsewhere:
        remedy = f"Did you mean {elsewhere[0]}.{option}?"
    else:
        remedy = "Remove it: it would have no effect."
    return Problem(Code.FD131, where, "an unknown option", f"an option of Airflow {known.version}", remedy)


def _plain_secret(where: str, section: str, option: str, value: Any, words: list[str]) -> Problem | None:
    """A problem when ``value`` is a secret in clear.

    A dictionary of arguments is one only when it holds something like a password.
    """
    sensitive = "sensitive" in words
    structured = "json" in words
    by_name = bool(SECRET_NAME.search(option)) and not isinstance(value, bool)
    if str(value) == "" or not ((sensitive and not structured) or by_name or _holds_secret(data(value))):
        return None
    if sensitive:
        remedy = f"Use {section}.{option}_cmd with a command that prints it."
    else:
        remedy = "Keep it in an Airflow connection or a secrets backend."
    return Problem(
        Code.FD136, where, "a secret in clear", "no secret in airflow.cfg, which every Airflow process can read", remedy
    )


def _holds_secret(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any((SECRET_NAME.search(str(key)) and entry) or _holds_secret(entry) for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        return any(_holds_secret(entry) for entry in value)
    return isinstance(value, str) and bool(_CREDENTIALS.search(value))


def _check_value(where: str, name: str, value: Any, words: list[str], known: Reference) -> list[Problem]:
    kind, empty = words[0], "empty" in words
    if str(value) == known.invalid.get(name):
        return [Problem(Code.FD135, where, repr(value), "another value", f"Airflow {known.version} refuses this one.")]
    if kind == "any" or (empty and value == "") or _fits(kind, value):
        return []
    expected = {
        "boolean": "true or false",
        "integer": "a whole number",
        "float": "a number",
        "json": "a dictionary, a list, or one as JSON text",
        "string": "text or a number",
    }[kind]
    remedy = "Airflow would fail to start, or read it as something else."
    if kind == "string":
        remedy = "A list or dictionary would be written as JSON, which this option does not read: write text."
    return [Problem(Code.FD135, where, f"{_kind(value)} {value!r}", expected, remedy)]


def _fits(kind: str, value: Any) -> bool:
    if kind == "json":
        return isinstance(data(value), (Mapping, list))
    if isinstance(value, (Mapping, list, tuple)):
        return False
    if kind == "boolean":
        return str(value).lower() in _BOOLEANS
    if kind == "integer":
        return not isinstance(value, bool) and bool(re.fullmatch(r"[+-]?\d+", str(value).strip()))
    if kind == "float":
        try:
            return not isinstance(value, bool) and math.isfinite(float(value))
        except (TypeError, ValueError):
            return False
    return True


def _kind(value: Any) -> str:
    names = {
        dict: "a dictionary",
        list: "a list",
        str: "text",
        bool: "a truth value",
        int: "a number",
        float: "a number",
    }
    return next(
        (name for kind, name in names.items() if isinstance(value, kind)),
        "nothing" if value is None else type(value).__name__,
    )
