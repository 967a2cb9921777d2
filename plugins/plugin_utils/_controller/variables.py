"""The values of variables that are templates, leaf by leaf: one that fails has its place and hides no other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ansible.errors import AnsibleError
from ansible.template import is_trusted_as_template

# A template that is nothing but another variable.
_REFERENCE = re.compile(r"\s*\{\{\s*(\w+)\s*\}\}\s*")
# References that are followed from one variable to the next.
_DEPTH = 10


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
