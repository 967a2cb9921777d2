# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the user's variables against the argument specs of the role that holds the interface."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import COMPONENTS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.words import closest, kind_of, plain

PREFIX = "airflow_"
# Names of the argument specs' types.
KINDS = {
    "str": "text",
    "path": "a path",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a dictionary",
    "raw": "a value",
}
_ELEMENTS = {
    "str": "texts",
    "path": "paths",
    "int": "whole numbers",
    "float": "numbers",
    "dict": "dictionaries",
    "raw": "values",
}
# A whole number as text. One with a leading zero is read as octal in one place and as decimal in the other.
WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]*)")
# What playbooks and roles of the collection give each other; not the user's.
INTERNAL = frozenset(
    {
        "airflow_all_hosts_reason",
        "airflow_certificates",
        "airflow_cluster",
        "airflow_component",
        "airflow_component_action",
        "airflow_confirmed_effect",
        "airflow_dump_record",
        "airflow_leaving_hosts",
        "airflow_migration_error",
        "airflow_new_drains",
        "airflow_node_status",
        "airflow_recovering_tiers",
        "airflow_recovery",
        "airflow_release_findings",
        "airflow_restarting_host",
        "airflow_restore_error",
        "airflow_rotating",
        "airflow_rotation_step",
        "airflow_secrets",
        "airflow_status_rows",
        "airflow_status_wait_seconds",
        "airflow_support_archive",
        "airflow_unfinished_tasks",
        "airflow_updates",
        "airflow_verified",
        "airflow_version_back",
        "airflow_version_change",
        "airflow_whole_cluster",
    }
)

# What a host or group may have for itself; the roles read it on the host. Everything else is read once, for the whole
# cluster.
PER_HOST = frozenset(
    f"airflow_{name}"
    for name in (
        "address",
        "build_packages",
        "component_environment",
        "constraints",
        "environment",
        "extra_groups",
        "extra_packages",
        "files",
        "firewall_extra_rules",
        "keep_releases",
        "kerberos_keytab",
        "kerberos_keytab_file",
        "kerberos_principal",
        "lock_file",
        "package_ca_file",
        "package_extra_index_urls",
        "package_index_url",
        "package_proxy",
        "requirements_file",
        "restart_timeout_seconds",
        "system_packages",
        "unit_options",
        "uv_cache_dir",
        "vip_interface",
        "webserver_port",
        "wheels_dir",
        "watchdog_failures",
        "watchdog_interval_seconds",
        "worker_concurrency",
        "worker_drain_timeout_seconds",
        "worker_log_port",
        "worker_queues",
        "worker_tmp_dir",
        *(f"{component}_memory_max" for component in COMPONENTS),
    )
)


def user_variables(variables: Mapping[str, Any]) -> list[str]:
    """Names in ``variables`` that claim to be ours."""
    return sorted(name for name in variables if name.startswith(PREFIX) and name not in INTERNAL)


def arguments(documents: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Options of the arguments that playbooks take for one run, by name: what entry points read that is no setting.

    Arguments:
        documents: the parsed ``meta/argument_specs.yml`` of the roles whose entry points take arguments.

    """
    found: dict[str, Any] = {}
    settings: set[str] = set()
    for document in documents:
        for entry_point, spec in document["argument_specs"].items():
            if entry_point == "cluster":
                settings |= set(spec["options"])
            else:
                found = {**spec["options"], **found}
    return {name: found[name] for name in user_variables(found) if name not in settings}


def check_unknown(names: list[str], options: Mapping[str, Any]) -> list[Problem]:
    """A problem for every variable that no spec knows, with the closest name that a spec knows."""
    problems = []
    for name in names:
        if name in options:
            continue
        close = closest(name.removeprefix(PREFIX), (option.removeprefix(PREFIX) for option in options))
        remedy = f"Did you mean {PREFIX}{close}?" if close else "Remove it."
        problems.append(Problem(Code.FD120, f"variable {name}", "an unknown name", "a documented variable", remedy))
    return problems


def check_types(values: Mapping[str, Any], options: Mapping[str, Any]) -> tuple[list[Problem], dict[str, Any]]:
    """A problem for every value that is not of its documented type or choice, and the good values in their types.

    ``-e`` and INI files give text where numbers are meant, which Ansible's own rules convert. Values of secrets are not
    shown.
    """
    problems = []
    good: dict[str, Any] = {}
    for name, value in values.items():
        if value is None and options[name].get("no_log") and "default" not in options[name]:
            # As good as not given: it is made.
            continue
        if places := [*_no_text(name, value)]:
            problems += [
                Problem(
                    Code.FD121,
                    f"variable {place}",
                    "a character that no file can have as text",
                    "text in UTF-8, without a NUL",
                    "Remove what \\0, \\x00 or \\ud800 stands for.",
                )
                for place in places
            ]
            continue
        option = {key: entry for key, entry in options[name].items() if key not in ("required", "default")}
        # First: the validator computes 1e999999999 without an end, and raises OverflowError for infinity.
        if not _loose(value, option):
            result = ArgumentSpecValidator({name: option}).validate({name: value})
            if not result.error_messages:
                # A path stays as it is: the validator would expand a home directory on the controller.
                good[name] = str(value) if option.get("type") == "path" else result.validated_parameters[name]
                continue
        expected = _expected(option)
        found = kind_of(value) if value is None or option.get("no_log") else f"{kind_of(value)} {plain(value)!r}"
        problems.append(Problem(Code.FD121, f"variable {name}", found, expected, _remedy(value, option)))
    return problems, good


def _no_text(place: str, value: Any) -> Iterator[str]:
    """Where ``value`` at ``place`` has half of a character, which UTF-8 cannot encode, or a NUL, which ends a path."""
    if isinstance(value, str):
        if re.search("[\0\ud800-\udfff]", value):
            yield place
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            # Such a key cannot be shown, either.
            yield from [*_no_text(place, key)] or _no_text(f"{place}.{key}", entry)
    elif isinstance(value, (list, tuple)):
        for number, entry in enumerate(value):
            yield from _no_text(f"{place}[{number}]", entry)


def _expected(option: Mapping[str, Any]) -> str:
    kind = KINDS[option.get("type", "str")]
    if elements := option.get("elements"):
        kind += f" of {_ELEMENTS[elements]}"
    return kind + (f", one of {', '.join(map(str, option['choices']))}" if "choices" in option else "")


def _remedy(value: Any, option: Mapping[str, Any]) -> str:
    """What to do about ``value``, which does not fit ``option``."""
    kind = option.get("type", "str")
    if value is None:
        return "Give a value, or remove the line: then the default applies."
    if kind in ("str", "path") and isinstance(value, (bool, int, float, datetime.date)):
        return "Write it in quotes: YAML reads it as something else than text and may change it."
    if kind == "list" and isinstance(value, list):
        return f"Write each entry as {KINDS[option.get('elements', 'str')]}, text in quotes."
    return f"Write it as {_expected(option)}."


def _loose(value: Any, option: Mapping[str, Any]) -> bool:
    """Whether Ansible would quietly convert ``value``, such as text for a list (split at commas)."""
    kind = option.get("type", "str")
    if value is None:
        return True
    if kind in ("str", "path"):
        # Of a number that is meant as text, leading zeros are lost; it is the same text only where it counts something.
        return isinstance(value, bool) or not isinstance(value, (str, *(() if option.get("no_log") else (int,))))
    if kind == "int":
        return isinstance(value, (bool, float)) or (isinstance(value, str) and not WHOLE.fullmatch(value.strip()))
    if kind == "list":
        elements = option.get("elements", "raw")
        # What an entry of no declared type may be is for the check of that variable.
        return not isinstance(value, list) or (
            elements != "raw" and any(_loose(entry, {"type": elements}) for entry in value)
        )
    return kind == "dict" and not isinstance(value, dict)


def check_same(values: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    """A problem for every cluster-wide variable that not all hosts agree on; ``values`` maps hosts to their
    variables."""
    problems = []
    missing = object()
    for name in sorted({name for given in values.values() for name in given} - PER_HOST):
        found = [given.get(name, missing) for given in values.values()]
        if any(value != found[0] for value in found):
            odd = next(host for host, given in values.items() if name in given)
            problems.append(
                Problem(
                    Code.FD122,
                    f"variable {name}",
                    f"a value on host {odd} that not all hosts have",
                    "one value for the whole cluster",
                    "Set it in group_vars/all, not for a group or host.",
                )
            )
    return problems
