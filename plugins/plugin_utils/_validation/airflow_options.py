# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of airflow.cfg options against what the very Airflow that is deployed knows.

The references in ``_catalog/options/<version>.json`` hold names and types; ``.config/reference_options.py`` makes them
from the installed packages. Airflow itself accepts every name in silence, so a misspelt or moved option would be
without effect.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.airflow_options import (
    Reference,
    reference,
    versions,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.option_values import (
    ENUMERATIONS,
    ENUMERATIONS_OF_ANY_CASE,
    FILE_MODES,
    LEVELS,
    LEVELS_BY_LOGGER,
    TIME_ZONES,
    UNUSABLE,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import LOG_PORTS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import data
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.options import environment_options
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.credentials import (
    holds_secret,
    is_secret_name,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.time_zones import is_name
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.types import WHOLE
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.words import closest, kind_of, plain

_SECTION_NAME = re.compile(r"[a-z][a-z0-9_.]*")
_OPTION_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
# What a line of a configuration file cannot hold.
_CONTROL = re.compile(r"[\0-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_BASIC_AUTH = "airflow.api.auth.backend.basic_auth"
_BOOLEANS = ("t", "true", "1", "f", "false", "0")


@dataclass(frozen=True)
class _Key:
    """A key of a dictionary that is no text."""

    key: Any


# Options that follow from the cluster, and what to set instead.
_URLS = "The collection makes this URL from the inventory: leave it out."
OWNED = {
    "core.executor": "The collection runs Celery workers: leave it out.",
    "core.auth_manager": "Set airflow_auth_manager.",
    **dict.fromkeys(
        (f"core.simple_auth_manager_{name}" for name in ("users", "passwords_file", "all_admins")),
        "With airflow_auth_manager: simple, the administrator is the only user: leave it out.",
    ),
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
    "celery.worker_autoscale": (
        "Set airflow_worker_concurrency: a worker that grows gets no more messages of quorum queues, and the "
        "metastore's connections are counted from it."
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
    "fab.config_file": "Set airflow_webserver_config_file.",
    "webserver.config_file": "Set airflow_webserver_config_file.",
    "webserver.base_url": "Set airflow_url.",
    "webserver.web_server_host": "The load balancers reach the server under the host's address: leave it out.",
    "webserver.web_server_port": "Set airflow_webserver_port.",
    "webserver.workers": "Set airflow_webserver_workers.",
    "webserver.web_server_ssl_cert": "The collection decides how the load balancers reach the server: leave it out.",
    "webserver.web_server_ssl_key": "The collection decides how the load balancers reach the server: leave it out.",
    "webserver.secret_key": "Set airflow_api_secret_key.",
    "kerberos.ccache": "It is where tasks find it: leave it out.",
    "kerberos.keytab": "Set airflow_kerberos_keytab_file.",
    "kerberos.kinit_path": "A program in its place makes the ticket readable for tasks: leave it out.",
    "kerberos.principal": "Set airflow_kerberos_principal.",
    "kerberos.reinit_frequency": "Set airflow_kerberos_renew_seconds.",
    **dict.fromkeys(
        (
            "logging.base_log_folder",
            "logging.dag_processor_child_process_log_directory",
            "logging.dag_processor_manager_log_location",
            "scheduler.child_process_log_directory",
        ),
        "Set airflow_log_dir.",
    ),
    **{f"logging.{port.log_option}": f"Set {port.variable}." for port in LOG_PORTS.values()},
    "scheduler.standalone_dag_processor": "The collection runs DAG processors of their own: leave it out.",
}


# Names that a version does not know.
_NAMES = (Code.FD131, Code.FD132, Code.FD133)


def check_config(
    config: Mapping[str, Any], version: str, extra_sections: Iterable[str] = (), own: Reference | None = None
) -> list[Problem]:
    """Problems of ``airflow_config`` for Airflow ``version``.

    Sections in ``extra_sections`` belong to packages or plugins of the user: only their form is checked. ``own`` is
    what the release itself says; without it, names are checked for tested versions only.
    """
    known = own or reference(version)
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
                _form(
                    where, kind_of(options), "a dictionary {option: value}", "Indent the options below their section."
                )
            )
            continue
        if _is_unknown(section, options, known) and section not in extra:
            problems.append(_unknown_section(section, known))
            continue
        for option, value in options.items():
            problems += _check_option(f"{where}.{option}", section, option, value, known, section in extra)
    return _certain(problems, version, known)


def check_environment(
    environment: Mapping[str, Any],
    version: str,
    extra_sections: Iterable[str] = (),
    own: Reference | None = None,
    place: str = "airflow_environment",
) -> list[Problem]:
    """Problems of the ``AIRFLOW__SECTION__OPTION`` names in ``environment``, the value of the variable ``place``: they
    win over airflow.cfg.

    ``own`` as for ``check_config``.
    """
    known = own or reference(version)
    extra = {str(name) for name in extra_sections}
    problems: list[Problem] = []
    for one in environment_options(environment, version, place):
        if _is_unknown(one.section, {one.option: one.value}, known) and one.section not in extra:
            problems.append(_unknown_section(one.section, known, one.where))
        else:
            problems += _check_option(one.where, one.section, one.option, one.value, known, one.section in extra)
    return _certain(problems, version, known)


def check_names(
    config: Mapping[str, Any], environment: Mapping[str, Any], extra_sections: Iterable[str], own: Reference
) -> list[Problem]:
    """Problems of names in ``airflow_config`` and ``airflow_environment`` that a release does not know, by what it
    says of its ``own`` options."""
    extra = list(extra_sections)
    found = check_config(config, own.version, extra, own) + check_environment(environment, own.version, extra, own)
    return [problem for problem in found if problem.code in _NAMES]


def _certain(problems: Iterable[Problem], version: str, known: Reference) -> list[Problem]:
    """Those of ``problems`` that are none of names only another version is known not to have."""
    return [problem for problem in problems if known.version == version or problem.code not in _NAMES]


def _form(where: str, found: str, expected: str, remedy: str) -> Problem:
    return Problem(Code.FD130, where, found, expected, remedy)


def _is_unknown(section: str, options: Mapping[Any, Any], known: Reference) -> bool:
    """Whether no version knows ``section``, not even as the former place of one of ``options``."""
    if any(section in each.sections for each in (known, *map(reference, versions()))):
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
    for version in reversed(versions()):
        other = reference(version)
        if version == known.version or name not in other:
            continue
        older = [old for old, new in other.renamed.items() if new == name and old in known]
        if older:
            return "moved", older[0]
        return "removed", f"an option of Airflow {version}, which Airflow {known.version} does not have"
    return None


def _split(name: str) -> tuple[str, str]:
    section, _dot, option = name.rpartition(".")
    return section, option


def _unknown_section(section: str, known: Reference, where: str = "") -> Problem:
    close = closest(section, known.sections)
    own = "If one of your packages or plugins reads it, add it to airflow_config_extra_sections."
    return Problem(
        Code.FD131,
        where or f"airflow_config.{section}",
        "an unknown section",
        f"a section of Airflow {known.version}",
        f"Did you mean {close}? {own}" if close else own,
    )


def _check_option(where: str, section: str, option: Any, value: Any, known: Reference, extra: bool) -> list[Problem]:
    if not isinstance(option, str) or not _OPTION_NAME.fullmatch(option):
        return [
            _form(where, f"{option!r} as an option's name", "letters, digits, '_', '.' or '-'", "Correct the name.")
        ]
    if owner := _owner(section, option):
        return [
            Problem(Code.FD134, where, "an option that the collection sets", "to leave it to the collection", owner)
        ]
    words = known.words(section, option)
    if not words and not extra and section not in known.free_sections:
        return [_unknown_option(where, section, option, known)]
    if value is None:
        return []
    if fault := _unreadable(where, value, words or ["any"]):
        return [fault]
    if secret := _plain_secret(where, section, option, value, words):
        return [secret]
    return _check_value(where, f"{section}.{option}", value, words or ["any"], known)


def _unreadable(where: str, value: Any, words: list[str]) -> Problem | None:
    """A problem when Airflow would read something else than ``value`` from airflow.cfg or its environment."""
    wrong = [entry for entry in _leaves(value) if not _is_plain(entry)]
    if wrong:
        expected = "text, a number, true or false, and text for a key"
        found = f"{kind_of(wrong[0].key)} as a key" if isinstance(wrong[0], _Key) else kind_of(wrong[0])
        return Problem(Code.FD135, where, found, expected, "Write it in quotes, as Airflow is to read it.")
    if words[0] == "string" and isinstance(value, float):
        remedy = "Write it in quotes: YAML reads 3.10 as 3.1."
        return Problem(Code.FD135, where, f"a number {plain(value)!r}", "text", remedy)
    if not isinstance(value, str) or isinstance(data(value), (Mapping, list)):
        return None
    if _CONTROL.search(value):
        return Problem(Code.FD135, where, "a control character", "printable text", "Remove it.")
    # The environment is read as it is.
    return (
        None
        if where.startswith(("airflow_environment.", "airflow_component_environment."))
        else _lost_in_a_file(where, value)
    )


def _lost_in_a_file(where: str, value: str) -> Problem | None:
    lines = value.rstrip("\n").split("\n")
    if any(line.startswith(("#", ";")) for line in lines[1:]):
        remedy = "airflow.cfg takes it for a comment: write the text in another way, or in one line."
        return Problem(
            Code.FD135, where, "a line that begins with '#' or ';'", "lines that begin with other characters", remedy
        )
    if any(line != line.strip() for line in lines):
        remedy = "airflow.cfg would lose it. Set the option by its variable in airflow_environment where it matters."
        return Problem(Code.FD135, where, "white space at the beginning or end of a line", "text without it", remedy)
    if re.search(r"%%[(A-Za-z]", value):
        remedy = (
            "Write each % once: the collection doubles it in airflow.cfg, as Airflow's reference does in its examples."
        )
        return Problem(Code.FD135, where, "a doubled percent sign", "a single one", remedy)
    return None


def _leaves(value: Any) -> Iterator[Any]:
    """The single values in ``value``, and keys that are no text."""
    if isinstance(value, Mapping):
        yield from (_Key(key) for key in value if not isinstance(key, str))
        for entry in value.values():
            yield from _leaves(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _leaves(entry)
    elif value is not None:
        yield value


def _is_plain(value: Any) -> bool:
    """Whether ``value`` is the same in YAML, JSON and a configuration file."""
    return isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value))


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
    close = closest(option, known.sections.get(section, ()))
    elsewhere = [other for other, options in known.sections.items() if option in options]
    if close:
        remedy = f"Did you mean {section}.{close}?"
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
    # A number about secrets is none.
    by_name = is_secret_name(option) and words[:1] not in (["integer"], ["float"], ["boolean"])
    by_name = by_name and not isinstance(value, bool)
    if str(value) == "" or not ((sensitive and not structured) or by_name or holds_secret(data(value))):
        return None
    if sensitive:
        remedy = f"Put it into airflow_secret_files, and set {section}.{option}_cmd: cat /etc/airflow/secrets/NAME."
    else:
        remedy = "Keep it in airflow_secret_environment, an Airflow connection or a secrets backend."
    return Problem(
        Code.FD136, where, "a secret in clear", "no secret in airflow.cfg, which every Airflow process can read", remedy
    )


def _check_value(where: str, name: str, value: Any, words: list[str], known: Reference) -> list[Problem]:
    kind, empty = words[0], "empty" in words
    if str(value) == known.invalid.get(name):
        return [Problem(Code.FD135, where, repr(value), "another value", f"Airflow {known.version} refuses this one.")]
    if name in UNUSABLE and str(value) != "":
        return [
            Problem(
                Code.FD147, where, "an option that cannot work in this deployment", "no such option", UNUSABLE[name]
            )
        ]
    if name == "api.auth_backends" and _BASIC_AUTH not in str(value):
        remedy = f"Add {_BASIC_AUTH}: flightdeck.airflow.verify and flightdeck.airflow.status log in by it."
        return [Problem(Code.FD147, where, "no login by password", f"{_BASIC_AUTH} among them", remedy)]
    if empty and value == "":
        return []
    if kind == "any" or _fits(kind, value):
        return _check_choice(where, name, value, known)
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
    return [Problem(Code.FD135, where, f"{kind_of(value)} {plain(value)!r}", expected, remedy)]


def _check_choice(where: str, name: str, value: Any, known: Reference) -> list[Problem]:
    """Problems of a value that has the right type and is none of those that Airflow knows."""
    text = str(value)
    expected = ""
    if name in ENUMERATIONS and text not in ENUMERATIONS[name]:
        expected = _choices(ENUMERATIONS[name])
    elif name in ENUMERATIONS_OF_ANY_CASE and text.lower() not in ENUMERATIONS_OF_ANY_CASE[name]:
        expected = _choices(ENUMERATIONS_OF_ANY_CASE[name])
    elif name in LEVELS_BY_LOGGER and not all(
        re.fullmatch(rf"[\w.]+\s*=\s*({'|'.join(LEVELS)})", pair)
        for pair in re.split(r"[\s,]+(?=[\w.]+\s*=)", text.strip(" ,"))
        if pair
    ):
        expected = f"logger=LEVEL, with one of {_choices(LEVELS)}"
    elif name in TIME_ZONES and text not in ("system", "utc") and not is_name(text):
        expected = "system, utc or a name such as Europe/Berlin"
    elif name in FILE_MODES and not (isinstance(value, str) and re.fullmatch(r"(0o?)?[0-7]{3}", text)):
        expected = "an octal number in quotes, such as '0o664'"
    if not expected:
        return []
    remedy = f"Airflow {known.version} would fail with this value, or ignore it."
    return [Problem(Code.FD135, where, f"{kind_of(value)} {plain(value)!r}", expected, remedy)]


def _choices(values: Iterable[str]) -> str:
    return ", ".join(value or "an empty text" for value in values)


def _fits(kind: str, value: Any) -> bool:
    if kind == "json":
        return isinstance(data(value), (Mapping, list))
    if isinstance(value, (Mapping, list, tuple)):
        return False
    if kind == "boolean":
        return str(value).lower() in _BOOLEANS
    if kind == "integer":
        return not isinstance(value, bool) and bool(WHOLE.fullmatch(str(value).strip()))
    if kind == "float":
        try:
            return not isinstance(value, bool) and math.isfinite(float(value))
        except (TypeError, ValueError):
            return False
    return True
