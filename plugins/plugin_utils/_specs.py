"""Checks of the user's variables against the argument specs of the role that holds the interface."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._problem import Problem

PREFIX = "airflow_"
# What the collection itself sets as facts; not the user's.
INTERNAL = frozenset({"airflow_cluster", "airflow_secrets", "airflow_component"})


def user_variables(variables: Mapping[str, Any]) -> list[str]:
    """Names in ``variables`` that claim to be ours."""
    return sorted(name for name in variables if name.startswith(PREFIX) and name not in INTERNAL)


def check_unknown(names: list[str], options: Mapping[str, Any]) -> list[Problem]:
    """A problem for every variable that no spec knows, with the closest name that one does."""
    problems = []
    for name in names:
        if name in options:
            continue
        close = difflib.get_close_matches(name, options, n=1)
        remedy = f"Did you mean {close[0]}?" if close else "Remove it."
        problems.append(Problem("FD120", f"variable {name}", "an unknown name", "a documented variable", remedy))
    return problems


def check_types(values: Mapping[str, Any], options: Mapping[str, Any]) -> list[Problem]:
    """A problem for every value that is not of its documented type or choice. Values of secrets are not shown."""
    problems = []
    for name, value in values.items():
        option = {key: entry for key, entry in options[name].items() if key not in ("required", "default")}
        result = ArgumentSpecValidator({name: option}).validate({name: value})
        if not result.error_messages and not _loose(value, option.get("type", "str")):
            continue
        expected = option.get("type", "str") + (f", one of {option['choices']}" if "choices" in option else "")
        found = f"{type(value).__name__}" + ("" if option.get("no_log") else f" {value!r}")
        detail = "" if option.get("no_log") else "; ".join(result.error_messages)
        problems.append(Problem("FD121", f"variable {name}", found, expected, detail or f"Write it as {expected}."))
    return problems


def _loose(value: Any, kind: str) -> bool:
    """Whether Ansible would quietly convert ``value``: text for a list (split at commas) or a dictionary for text."""
    return (kind == "list" and not isinstance(value, list)) or (kind == "str" and isinstance(value, (dict, list)))
