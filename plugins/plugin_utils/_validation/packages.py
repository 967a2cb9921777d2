# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that need a Python package: it has to be in the release, by its lock or by airflow_extra_packages."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.option_values import (
    NAMESPACES,
    OPTIONS,
    REMOTE_LOGS,
    SWITCHES,
    VALUES,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import data
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.options import GivenOption
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem

_PROVIDER = re.compile(r"\bairflow\.providers\.([a-z][a-z0-9_]*)(?:\.([a-z][a-z0-9_]*))?")
_LOCKED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*==", re.MULTILINE)
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def is_on(value: object) -> bool:
    """Whether ``value`` of an option is true, as Airflow reads it."""
    return str(value).lower() in ("true", "t", "1")


def installed(locks: Iterable[str], extra: Iterable[object]) -> frozenset[str]:
    """Normal names of the packages of a release: those in the texts of its ``locks``, and ``extra`` requirements."""
    locked = (name for text in locks for name in _LOCKED.findall(text))
    added = (match[1] for match in map(_NAME.match, map(str, extra)) if match)
    return frozenset(re.sub(r"[-_.]+", "-", name).lower() for name in (*locked, *added))


def check(options: Iterable[GivenOption], packages: Collection[str]) -> list[Problem]:
    """Problems of ``options`` whose package is not among ``packages``, both of one host."""
    options = list(options)
    problems = []
    for one in options:
        needed = dict.fromkeys(_needed(one))
        problems += [_missing(one.where, name) for name in needed if name not in packages]
    return problems + _check_remote_logs({one.name: one for one in options}, packages)


def _needed(one: GivenOption) -> Iterator[str]:
    if one.name in SWITCHES and is_on(one.value):
        yield SWITCHES[one.name]
    if one.name in OPTIONS and str(one.value):
        yield OPTIONS[one.name]
    if package := VALUES.get((one.name, str(one.value))):
        yield package
    for text in _texts(data(one.value)):
        for first, second in _PROVIDER.findall(text):
            name = f"{first}-{second}" if first in NAMESPACES and second else first
            yield f"apache-airflow-providers-{name.replace('_', '-')}"


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for entry in value:
            yield from _texts(entry)
    elif isinstance(value, str):
        yield value


def _missing(where: str, package: str) -> Problem:
    expected = f"{package} in the release"
    remedy = f"Add {package} with its version to airflow_extra_packages, or leave the option out."
    return Problem(Code.FD173, where, "an option that needs a package", expected, remedy)


def _check_remote_logs(options: Mapping[str, GivenOption], packages: Collection[str]) -> list[Problem]:
    """The beginning of one option decides where task logs go, unless a search engine or the user's own class does."""
    switch = options.get("logging.remote_logging")
    others = ("logging.logging_config_class", *OPTIONS)
    if not switch or not is_on(switch.value) or any(name in options and str(options[name].value) for name in others):
        return []
    folder = options.get("logging.remote_base_log_folder")
    text = str(folder.value) if folder else ""
    package = next((package for start, package in REMOTE_LOGS.items() if text.startswith(start)), "")
    where = folder.where if folder else switch.where
    if not package:
        expected = f"remote_base_log_folder with one of {', '.join(REMOTE_LOGS)} at its beginning"
        found = "another beginning" if text else "remote_logging without remote_base_log_folder"
        return [
            Problem(Code.FD135, where, found, expected, "Airflow would fail to start, or keep the logs on the workers.")
        ]
    return [] if package in packages else [_missing(where, package)]
