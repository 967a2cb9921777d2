# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between typed data and the plain data that Ansible passes around: dictionaries, lists, texts and numbers."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Literal, Self, TypeVar, Union, get_args, get_origin, get_type_hints

# Metadata of a field whose None is an empty dictionary, rather than no key.
EMPTY: Mapping[str, bool] = {"empty": True}


class Plain:
    """Base of the dataclasses that become plain data and are read from it.

    A field is a key of the same name, a tuple is a list. A field that is None has no key, or ``{}`` with the metadata
    ``EMPTY``. Among the types of a field may be others of these classes; where there are several, each has a field
    ``kind`` of its own.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def to_vars(self) -> dict[str, object]:
        """The instance as plain data."""
        found: dict[str, object] = {}
        for field in dataclasses.fields(self):
            content = getattr(self, field.name)
            if content is not None:
                found[field.name] = _plain(content)
            elif field.metadata.get("empty"):
                found[field.name] = {}
        return found

    @classmethod
    def from_vars(cls, data: object, where: str = "") -> Self:
        """An instance from what ``to_vars`` made of one.

        ``where`` is the name of ``data`` in errors. Raises ValueError, without a value in its text, for a key that the
        class does not have, one that it needs, and a value of another type.
        """
        where = where or cls.__name__
        if not isinstance(data, Mapping):
            raise ValueError(f"{where} is no dictionary")
        fields = {field.name: field for field in dataclasses.fields(cls)}
        if unknown := sorted(str(key) for key in data if key not in fields):
            raise ValueError(f"{where} has an unknown key: {', '.join(unknown)}")
        found = {}
        for name, field in fields.items():
            if name in data and not (field.metadata.get("empty") and data[name] == {}):
                found[name] = _typed(_hints(cls)[name], data[name], f"{where}.{name}")
            elif field.default is dataclasses.MISSING:
                raise ValueError(f"{where} has no {name}")
        return cls(**found)


P = TypeVar("P", bound=Plain)
_HINTS: dict[type[Plain], dict[str, Any]] = {}


def _hints(wanted: type[Plain]) -> dict[str, Any]:
    """Types of the fields of a class by name. They are text in the class, and reading them takes long."""
    if wanted not in _HINTS:
        _HINTS[wanted] = get_type_hints(wanted)
    return _HINTS[wanted]


def one_of(classes: Iterable[type[P]], data: object, where: str) -> P:
    """An instance of that one of ``classes`` whose ``kind`` the plain ``data`` have.

    ``where`` is the name of ``data`` in errors. Raises ValueError as ``from_vars`` does, and for a ``kind`` of none of
    them.
    """
    kinds = {get_args(_hints(each)["kind"])[0]: each for each in classes}
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if kind not in kinds:
        raise ValueError(f"{where} has no kind of {', '.join(kinds)}")
    return kinds[kind].from_vars(data, where)


class _Shares(Mapping[str, P]):
    """Instances of one class by name, each read when it is asked for: a run on one host needs few of hundreds of
    nodes."""

    def __init__(self, wanted: type[P], data: Mapping[str, object], where: str) -> None:
        self._wanted, self._data, self._where = wanted, data, where
        self._read: dict[str, P] = {}

    def __getitem__(self, name: str) -> P:
        if name not in self._read:
            self._read[name] = self._wanted.from_vars(self._data[name], f"{self._where}.{name}")
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)


def _plain(value: object) -> object:
    if isinstance(value, Plain):
        return value.to_vars()
    if isinstance(value, Mapping):
        return {key: _plain(content) for key, content in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(content) for content in value]
    return value


def _typed(hint: Any, data: object, where: str) -> object:
    if hint is object:
        return data
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _of_union(arguments, data, where)
    if isinstance(hint, type) and issubclass(hint, Plain):
        return hint.from_vars(data, where)
    if origin is tuple and isinstance(data, (tuple, list)):
        return tuple(_typed(arguments[0], entry, f"{where}[{number}]") for number, entry in enumerate(data))
    if (
        origin is Mapping
        and isinstance(data, Mapping)
        and isinstance(arguments[1], type)
        and issubclass(arguments[1], Plain)
    ):
        return _Shares(arguments[1], data, where)
    if origin is Mapping and isinstance(data, Mapping):
        return {str(key): _typed(arguments[1], content, f"{where}.{key}") for key, content in data.items()}
    if not _fits(hint, data):
        raise ValueError(f"{where} is no {getattr(hint, '__name__', hint)}")
    return data


def _of_union(hints: tuple[Any, ...], data: object, where: str) -> object:
    if data is None and types.NoneType in hints:
        return None
    rest = [hint for hint in hints if hint is not types.NoneType]
    if len(rest) > 1 and all(isinstance(hint, type) and issubclass(hint, Plain) for hint in rest):
        return one_of(rest, data, where)
    return _typed(next((hint for hint in rest if _fits(hint, data)), rest[0]), data, where)


def _fits(hint: Any, data: object) -> bool:
    """Whether ``data`` is a value of a simple type. A truth value is no number."""
    if get_origin(hint) is Literal:
        return data in get_args(hint)
    if not isinstance(hint, type) or (isinstance(data, bool) and hint is not bool):
        return False
    return isinstance(data, (int, float) if hint is float else hint)
