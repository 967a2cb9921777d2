# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The effective variables of the hosts of a cluster, whichever host the task itself runs on.

Templates are computed leaf by leaf: one that fails has its place and hides no other.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.template import is_trusted_as_template, trust_as_template
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import services
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import types

_ROOT = Path(__file__).parents[3]
# The roles with entry points that take settings or arguments.
_ROLES = ("airflow", "backup", "metastore")
# Ansible's own names: of a task's host, or of the connection to it.
_MAGIC = frozenset(
    {"environment", "groups", "group_names", "hostvars", "omit", "play_hosts", "playbook_dir", "role_name", "vars"}
)
_MAGIC_PREFIXES = ("ansible_", "inventory_", "role_", "__airflow_", "__play_")
# A template that is nothing but another variable.
_REFERENCE = re.compile(r"\s*\{\{\s*(\w+)\s*\}\}\s*")
# References that are followed from one variable to the next.
_DEPTH = 10


@functools.cache
def settings() -> dict[str, Any]:
    """The specs of all settings by name."""
    return dict(_specs()[0]["argument_specs"]["cluster"]["options"])


@functools.cache
def settings_and_arguments() -> dict[str, Any]:
    """The specs of all settings, and of what an operator gives one run of a playbook."""
    return {**settings(), **types.arguments(_specs())}


@functools.cache
def _specs() -> tuple[dict[str, Any], ...]:
    paths = (_ROOT / "roles" / role / "meta" / "argument_specs.yml" for role in _ROLES)
    return tuple(yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths)


def cluster_hosts(groups: Mapping[str, list[str]]) -> list[str]:
    """The hosts of all our groups, each once, in the order of the groups; also those outside of ``--limit``."""
    members = [groups.get(f"airflow_{group}", []) for group in services.GROUPS]
    return list(dict.fromkeys(host for group in members for host in group))


class Failure(NamedTuple):
    """A template that fails: its place, such as ``airflow_config.core.parallelism``, and Ansible's error."""

    place: str
    error: AnsibleError


def read(name: str, raw: Any, template: Callable[[Any], Any]) -> tuple[Any, list[Failure]]:
    """The value of the variable ``name``, and what fails in it.

    ``raw`` is the value as the inventory has it, ``template`` renders it. What fails is left out of a dictionary or
    list. A value that fails as a whole is None.
    """
    try:
        return template(raw), []
    except AnsibleError as error:
        whole = Failure(name, error)
    if isinstance(raw, Mapping):
        found = {key: read(f"{name}.{key}", entry, template) for key, entry in raw.items()}
        good = {key: value for key, (value, failures) in found.items() if value is not None or not failures}
        return good, [failure for _value, failures in found.values() for failure in failures]
    if isinstance(raw, (list, tuple)):
        entries = [read(f"{name}[{number}]", entry, template) for number, entry in enumerate(raw)]
        return [value for value, failures in entries if value is not None or not failures], [
            failure for _value, failures in entries for failure in failures
        ]
    return None, [whole]


def comments(name: str, raw: Any, variables: Mapping[str, Any], *, secret: bool) -> Iterator[str]:
    """Places in ``raw``, the value of the variable ``name``, where a template deletes text from ``{#`` on.

    A comment beside a template is meant, but not in a ``secret``. ``variables`` are those that a template may refer to.
    """
    if isinstance(raw, Mapping):
        for key, entry in raw.items():
            yield from comments(f"{name}.{key}", entry, variables, secret=secret)
    elif isinstance(raw, (list, tuple)):
        for number, entry in enumerate(raw):
            yield from comments(f"{name}[{number}]", entry, variables, secret=secret)
    elif isinstance(raw, str) and _deletes(raw, variables, secret):
        yield name


def _deletes(text: str, variables: Mapping[str, Any], secret: bool) -> bool:
    for _step in range(_DEPTH):
        if not is_trusted_as_template(text):
            return False
        if not (reference := _REFERENCE.fullmatch(text)):
            return "{#" in text and (secret or not re.search(r"\{\{|\{%", text))
        following = variables.get(reference[1])
        if not isinstance(following, str):
            return False
        text = following
    return False


def _differ(first: object, second: object) -> bool:
    """Whether two values of a variable differ.

    Ansible decrypts a value to compare it. One that cannot be decrypted counts as the same: where it is used, it is a
    problem of its own, with its name.
    """
    try:
        return bool(first != second)
    except AnsibleError:
        return False


class Variables:
    """What the inventory, the command line and the play say, host by host.

    ``hostvars`` have the first two. The variables of a play, of an import of a playbook, of a block and of a role are
    above those of the inventory, and Ansible has them only in the variables of a task, which are those of its host.
    """

    def __init__(self, action: ActionBase, task_vars: Mapping[str, Any]) -> None:
        """Read ``task_vars``, the variables of ``action``'s task."""
        self.hosts = cluster_hosts(task_vars["groups"])
        self._templar = action._templar
        self._hostvars = task_vars["hostvars"]
        defaults = {name: option["default"] for name, option in settings().items() if "default" in option}
        self._defaults = {
            name: trust_as_template(value) if isinstance(value, str) else value for name, value in defaults.items()
        }
        own = self._hostvars.raw_get(task_vars["inventory_hostname"])
        explicit = {*action._task.get_play().get_vars(), *action._task.get_vars()}
        self.of_play = {
            name: value for name, value in task_vars.items() if self._is_of_play(name, value, own, explicit)
        }
        self._raw: dict[str, dict[str, Any]] = {}
        self._templars: dict[str, Any] = {}

    def _is_of_play(self, name: str, value: Any, own: Mapping[str, Any], explicit: set[str]) -> bool:
        """Whether ``name`` of a task has its ``value`` from something above the inventory, and not from a default of
        the role."""
        if name in _MAGIC or name.startswith(_MAGIC_PREFIXES):
            return False
        if name in explicit:
            return True
        if name in own:
            return _differ(value, own[name])
        return name not in self._defaults or _differ(value, self._defaults[name])

    def raw(self, host: str) -> dict[str, Any]:
        """All variables of ``host`` before templates are computed, without defaults."""
        if host not in self._raw:
            self._raw[host] = {**self._hostvars.raw_get(host), **self.of_play}
        return self._raw[host]

    def names(self, host: str) -> list[str]:
        """The variables of ``host`` that claim to be ours."""
        return types.user_variables(self.raw(host))

    def value(self, host: str, name: str) -> Any:
        """The value of ``name`` on ``host``, or its default there.

        Raises KeyError for a variable without both, and AnsibleError for a template that fails.
        """
        raw = self.raw(host)
        return self._template(host, raw[name] if name in raw else self._defaults[name])

    def leaves(self, host: str, name: str) -> tuple[Any, list[Failure]]:
        """The value of ``name``, which ``host`` has, and what fails in it; see ``read``."""
        return read(name, self.raw(host)[name], functools.partial(self._template, host))

    def comments(self, host: str, name: str, *, secret: bool) -> list[str]:
        """Places in ``name``, which ``host`` has, where a template deletes text; see the function ``comments``."""
        raw = self.raw(host)
        return list(comments(name, raw[name], raw, secret=secret))

    def _template(self, host: str, raw: Any) -> Any:
        if host not in self._templars:
            available = {**self._defaults, **self.raw(host), "hostvars": self._hostvars}
            self._templars[host] = self._templar.copy_with_new_env(available_variables=available)
        return self._templars[host].template(raw)

    def rendered(self, host: str, text: str) -> str:
        """The template ``text`` with the variables of ``host``. Raises AnsibleError."""
        return str(self._template(host, trust_as_template(text)))

    def common(self, name: str) -> Any:
        """The value of ``name`` for the cluster as a whole: the one of its first host, since all have the same.

        Raises as ``value`` does, and KeyError without a host.
        """
        if not self.hosts:
            raise KeyError(name)
        return self.value(self.hosts[0], name)

    def given(self, names: Iterable[str]) -> Iterator[tuple[str, Any]]:
        """Those of ``names`` that the cluster has a value for, other than nothing, with their values."""
        for name in names:
            if self.hosts and name in self.raw(self.hosts[0]) and (value := self.common(name)):
                yield name, value
