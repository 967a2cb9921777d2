"""Checks of the user's variables against the argument specs of the role that holds the interface."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import COMPONENTS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem

PREFIX = "airflow_"
# What playbooks and roles of the collection give each other; not the user's.
INTERNAL = frozenset(
    {
        "airflow_cluster",
        "airflow_secrets",
        "airflow_certificates",
        "airflow_component",
        "airflow_component_action",
        "airflow_rotating",
        "airflow_rotation_step",
        "airflow_unfinished_tasks",
    }
)

# What a host or group may have for itself; the roles read it on the host. Everything else is read once, for the whole
# cluster.
PER_HOST = frozenset(
    f"airflow_{name}"
    for name in (
        "address",
        "environment",
        "extra_packages",
        "firewall_extra_rules",
        "keep_releases",
        "lock_file",
        "package_ca_file",
        "package_extra_index_urls",
        "package_index_url",
        "package_proxy",
        "restart_timeout_seconds",
        "system_packages",
        "uv_cache_dir",
        "vip_interface",
        "webserver_port",
        "watchdog_failures",
        "watchdog_interval_seconds",
        "worker_concurrency",
        "worker_drain_timeout_seconds",
        "worker_log_port",
        "worker_queues",
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
        close = difflib.get_close_matches(name, options, n=1)
        remedy = f"Did you mean {close[0]}?" if close else "Remove it."
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
        option = {key: entry for key, entry in options[name].items() if key not in ("required", "default")}
        result = ArgumentSpecValidator({name: option}).validate({name: value})
        if not result.error_messages and not _loose(value, option.get("type", "str")):
            # A path stays as it is: the validator would expand a home directory on the controller.
            good[name] = str(value) if option.get("type") == "path" else result.validated_parameters[name]
            continue
        expected = option.get("type", "str") + (f", one of {option['choices']}" if "choices" in option else "")
        found = (
            "no value" if value is None else f"{type(value).__name__}" + ("" if option.get("no_log") else f" {value!r}")
        )
        detail = "" if option.get("no_log") else "; ".join(result.error_messages)
        problems.append(Problem(Code.FD121, f"variable {name}", found, expected, detail or f"Write it as {expected}."))
    return problems, good


def _loose(value: Any, kind: str) -> bool:
    """Whether Ansible would quietly convert ``value``: text for a list (split at commas) or a dictionary for text."""
    return (
        value is None
        or (kind == "list" and not isinstance(value, list))
        or (kind in ("str", "path") and isinstance(value, (dict, list)))
        or (kind == "dict" and not isinstance(value, dict))
        or (kind == "int" and isinstance(value, (bool, float)))
    )


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
