# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of what the user adds to the hosts: files, secret files, variables of the environment."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import MODES
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import FILES_DIR
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import COMPONENTS, MAJORS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import files
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.airflow import mode_files, secrets_of
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.words import closest, kind_of

_KEYS = ("path", "src", "content", "template", "mode", "components")
# Readable by the group of Airflow's account; only root writes.
_MODE = re.compile(r"0[0-7][45][0145]")
_SECRET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What the collection sets for its processes, or the loader of programs reads.
_OWNED_VARIABLES = re.compile(r"AIRFLOW_HOME|AIRFLOW_CONFIG|HOME|PATH|PYTHONPATH|LD_\w+|FLIGHTDECK_\w+")
_LEAVE = "The role needs it as it is: leave it out."
# Directives that say what the process is and how it ends.
_OWNED_DIRECTIVES = {
    **dict.fromkeys(
        (
            *("Type", "User", "Group", "DynamicUser", "ExecStart", "ExecStartPre", "ExecStop", "ExecReload", "Slice"),
            *("WorkingDirectory", "Restart", "RestartSec", "KillMode", "KillSignal", "PIDFile", "RuntimeDirectory"),
            *("WatchdogSec", "WatchdogSignal", "NotifyAccess", "SyslogIdentifier", "TemporaryFileSystem"),
            *("RootDirectory", "RootImage", "GuessMainPID", "RemainAfterExit", "BusName", "OOMPolicy"),
        ),
        _LEAVE,
    ),
    **dict.fromkeys(
        ("Environment", "EnvironmentFile", "PassEnvironment", "UnsetEnvironment"), "Set airflow_component_environment."
    ),
    "MemoryMax": "Set airflow_<component>_memory_max.",
    "TimeoutStopSec": "Set airflow_worker_drain_timeout_seconds for workers; leave it out for others.",
    "SupplementaryGroups": "Set airflow_extra_groups for workers; leave it out for others.",
}
# Bytes of a variable of the environment: Linux takes 128 KiB with its name.
_LONGEST_VARIABLE = 130_000


@functools.cache
def _own_secrets() -> frozenset[str]:
    """Names of all secret files that the collection may write."""
    found = {name for major in MAJORS for component in COMPONENTS for name in secrets_of(component, major)}
    return frozenset(found | {name for major in MAJORS for mode in MODES for name in mode_files(mode, major)})


def check(values: Mapping[str, Any]) -> list[Problem]:
    """Problems of the variables of one host in ``values``, which have their types."""
    checks: dict[str, Callable[[str, Any], Iterator[Problem]]] = {
        "airflow_files": _check_files,
        "airflow_secret_files": _check_secret_files,
        "airflow_secret_environment": _check_secret_environment,
        "airflow_component_environment": check_by_component,
        "airflow_unit_options": _check_unit_options,
    }
    return [problem for name, found in checks.items() if name in values for problem in found(name, values[name])]


def check_by_component(name: str, value: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of the keys and the form of the variable ``name``, which has a dictionary for each component."""
    yield from _check_names(name, list(value))
    for component, entry in value.items():
        if not isinstance(entry, Mapping):
            remedy = f"Write {name}: {{{component}: {{NAME: value}}}}."
            yield Problem(Code.FD251, f"{name}.{component}", kind_of(entry), "a dictionary", remedy)


def _check_unit_options(name: str, value: Mapping[str, Any]) -> Iterator[Problem]:
    yield from check_by_component(name, value)
    for component, options in value.items():
        for directive, content in options.items() if isinstance(options, Mapping) else ():
            where = f"{name}.{component}.{directive}"
            if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", str(directive)):
                expected = "the name of a directive of systemd, such as LimitNOFILE"
                yield Problem(Code.FD257, where, "an invalid name", expected, "Correct the name.")
            elif remedy := _OWNED_DIRECTIVES.get(str(directive)):
                yield Problem(Code.FD257, where, "a managed directive", "to leave it out", remedy)
            for one in content if isinstance(content, list) else [content]:
                if not isinstance(one, (str, int, bool)) or re.search(r"[\0-\x1f\x7f]", str(one)):
                    expected = "text, a number, true or false, each on one line"
                    yield Problem(Code.FD257, where, kind_of(one), expected, "Write a list for several lines.")


def _form(where: str, found: str, expected: str, remedy: str) -> Problem:
    return Problem(Code.FD250, where, found, expected, remedy)


def _check_names(where: str, names: object) -> Iterator[Problem]:
    """Problems of ``names`` of components."""
    expected = f"components: {', '.join(COMPONENTS)}"
    if not isinstance(names, list):
        yield Problem(Code.FD251, where, kind_of(names), f"a list of {expected}", "Write a list, or leave it out.")
        return
    for name in names:
        if name not in COMPONENTS:
            close = closest(str(name), COMPONENTS)
            remedy = f"Did you mean {close}?" if close else "Name those that read it."
            yield Problem(Code.FD251, where, repr(str(name)), expected, remedy)


def _check_files(name: str, value: list[Any]) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, entry in enumerate(value):
        where = f"{name}[{number}]"
        yield from _check_file(where, entry)
        path = files.target(entry.get("path", ""))
        if path in seen:
            yield _form(where, f"{path} twice", "each path once", "Remove one, or rename it.")
        seen.add(path)


def _check_file(where: str, entry: Mapping[str, Any]) -> Iterator[Problem]:
    for key in sorted(str(key) for key in entry if key not in _KEYS):
        yield _form(where, f"an unknown key {key}", ", ".join(_KEYS), "Correct or remove it.")
    given, path = entry.get("path"), files.target(entry.get("path", ""))
    if not isinstance(given, str) or not path.startswith(f"{FILES_DIR}/") or re.search(r"[\0-\x1f\x7f]", given):
        remedy = "Name it by its path there, such as kube/config: what is elsewhere may belong to others."
        yield _form(where, f"the path {given!r}", f"a path below {FILES_DIR}", remedy)
    mode = entry.get("mode", "0640")
    if not isinstance(mode, str) or not _MODE.fullmatch(mode):
        remedy = "Write '0640', or '0750' for a program: the group of Airflow's account reads it, only root writes."
        yield _form(where, f"the mode {mode!r}", "a text of four octal digits", remedy)
    if "components" in entry:
        yield from _check_names(f"{where}.components", entry["components"])
    source, content = entry.get("src"), entry.get("content")
    if (source is None) == (content is None):
        remedy = "Name a file of the controller in src, or write the content."
        yield _form(where, "both src and content" if content is not None else "no src", "one of the two", remedy)
    elif content is not None and not isinstance(content, str):
        remedy = "Write it in quotes, or as a block: YAML changes it."
        yield _form(f"{where}.content", kind_of(content), "text", remedy)
    elif content is None and not isinstance(entry.get("template", False), bool):
        yield _form(f"{where}.template", kind_of(entry["template"]), "true or false", "Write true or false.")
    elif content is None and (fault := source_fault(str(source), files.is_template(entry))):
        remedy = "Correct it: nothing was changed. '{{ inventory_dir }}/../files/x' is a file beside the inventory."
        yield Problem(Code.FD252, f"{where}.src", fault, "a file on the controller", remedy)


@functools.lru_cache(maxsize=1024)
def source_fault(source: str, template: bool) -> str:
    """What is wrong with ``source``, a file or ``template`` on the controller; empty for nothing."""
    path = Path(os.path.expanduser(source))
    if not path.is_absolute():
        return f"{source!r}, which is not absolute"
    if not path.is_file():
        return f"{path}, which {'is no file' if path.exists() else 'does not exist'}"
    if not os.access(path, os.R_OK):
        return f"{path}, which the user who runs Ansible cannot read"
    if template:
        try:
            jinja2.Environment(autoescape=True, extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"]).parse(
                path.read_text(encoding="utf-8")
            )
        except jinja2.TemplateSyntaxError as error:
            return f"{path}, line {error.lineno}: {error.message}"
        except UnicodeDecodeError:
            return f"{path}, a template that is not in UTF-8"
    return ""


def _secret(where: str, entry: Any, code: Code) -> Iterator[Problem]:
    """Problems of the form of a secret: text, or a value with its readers."""
    value = entry
    if isinstance(entry, Mapping):
        for key in sorted(str(key) for key in entry if key not in ("value", "components")):
            yield Problem(code, where, f"an unknown key {key}", "value, components", "Correct or remove it.")
        if "components" in entry:
            yield from _check_names(f"{where}.components", entry["components"])
        value = entry.get("value")
    if value is None or value == "":
        remedy = "Write it, from a vault, or remove the entry."
        yield Problem(code, where, "no value", "text, or {value: ..., components: [...]}", remedy)
    elif not isinstance(value, str):
        remedy = "Write it in quotes: YAML changes it."
        yield Problem(code, where, kind_of(value), "text, or {value: ..., components: [...]}", remedy)


def _check_secret_files(name: str, value: Mapping[str, Any]) -> Iterator[Problem]:
    for file, entry in value.items():
        where = f"{name}.{file}"
        if not _SECRET_NAME.fullmatch(str(file)):
            expected = "letters, digits, '.', '_' or '-'"
            yield Problem(Code.FD253, where, "an invalid name", expected, "It is the name of a file: correct it.")
        elif file in _own_secrets():
            remedy = "Choose another name."
            yield Problem(Code.FD253, where, "the name of a managed secret", "a name of your own", remedy)
        yield from _secret(where, entry, Code.FD253)


def _check_secret_environment(name: str, value: Mapping[str, Any]) -> Iterator[Problem]:
    for variable, entry in value.items():
        where = f"{name}.{variable}"
        if not _VARIABLE.fullmatch(str(variable)):
            expected = "letters, digits and '_', no digit first"
            yield Problem(Code.FD254, where, "an invalid name", expected, "Correct the name.")
        elif _OWNED_VARIABLES.fullmatch(str(variable)):
            remedy = "Leave it out, or set it in airflow_environment."
            yield Problem(Code.FD254, where, "a variable that is no secret", "a name of your own", remedy)
        yield from _secret(where, entry, Code.FD254)
        text = files.secret_value(entry)
        if re.search(r"[\0-\x08\n-\x1f\x7f]", text):
            remedy = "An environment file holds one line per variable: use airflow_secret_files."
            yield Problem(Code.FD254, where, "a line break or another control character", "one line", remedy)
        elif len(text.encode(errors="replace")) > _LONGEST_VARIABLE:
            remedy = "Linux starts no process with a longer one: use airflow_secret_files."
            yield Problem(Code.FD254, where, f"more than {_LONGEST_VARIABLE} bytes", "less", remedy)
