# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Connections, variables, pools, users and roles as data: what a declaration may be, and how it differs from what
Airflow has. Pure, and standard library only: the controller checks what an inventory declares, modules write it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

# What Airflow answers in the place of a secret, and what diffs show.
MASK = "***"
HIDDEN, OTHER = "(hidden)", "(hidden, another one)"
# What a comparison says when Airflow shows a mask.
SAME, DIFFERENT, UNKNOWN = "same", "different", "unknown"

BUILT_IN_ROLES = frozenset({"Admin", "Op", "Public", "User", "Viewer"})
# Airflow gives these their permissions again whenever it starts; Public has none of its own.
FIXED_ROLES = BUILT_IN_ROLES - {"Public"}
DEFAULT_POOL = "default_pool"
_ID = re.compile(r"[\w.-]{1,200}", re.ASCII)


@dataclass(frozen=True)
class Field:
    """A field of an object: its type in the words of argument specs, and whether Airflow encrypts it."""

    type: str
    required: bool = False
    secret: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of object. ``key`` is the field that names one, ``plural`` the name of a list of them."""

    name: str
    plural: str
    key: str
    fields: Mapping[str, Field]


_TEXT, _KEY, _SECRET = Field("str"), Field("str", required=True), Field("str", secret=True)
# In the order in which they are written; they are deleted in the opposite order.
KINDS = {
    kind.name: kind
    for kind in (
        Kind("role", "roles", "name", {"name": _KEY, "permissions": Field("dict", required=True)}),
        Kind(
            "user",
            "users",
            "username",
            {
                "username": _KEY,
                "email": _KEY,
                "first_name": _KEY,
                "last_name": _KEY,
                "roles": Field("list", required=True),
                "password": _SECRET,
            },
        ),
        Kind(
            "pool",
            "pools",
            "name",
            {
                "name": _KEY,
                "slots": Field("int", required=True),
                "description": _TEXT,
                "include_deferred": Field("bool"),
            },
        ),
        Kind(
            "variable",
            "variables",
            "key",
            {"key": _KEY, "value": Field("raw", required=True, secret=True), "description": _TEXT},
        ),
        Kind(
            "connection",
            "connections",
            "conn_id",
            {
                "conn_id": _KEY,
                "conn_type": _TEXT,
                "description": _TEXT,
                "host": _TEXT,
                "login": _TEXT,
                "schema": _TEXT,
                "port": Field("int"),
                "password": _SECRET,
                "extra": Field("dict", secret=True),
                "uri": _SECRET,
            },
        ),
    )
}
PLURALS = {kind.plural: kind for kind in KINDS.values()}
_PARTS_OF_URI = ("conn_type", "host", "login", "schema", "port", "password", "extra")
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "bool": "true or false",
    "list": "a list of texts",
    "dict": "a dictionary",
    "raw": "a value",
}
_PYTHON: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "int": int,
    "bool": bool,
    "list": (list, tuple),
    "dict": Mapping,
    "raw": object,
}


@dataclass(frozen=True)
class Fault:
    """What is wrong with a declaration. ``sort`` is shape, twice, uri, value or reserved; no field holds a secret."""

    sort: str
    where: str
    found: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: found {self.found}; expected {self.expected}. {self.remedy}"


def check(kind: Kind, entries: Iterable[Any], where: str, admin: str = "") -> Iterator[Fault]:
    """Everything that is wrong with the declared ``entries``. ``where`` is the list's name; the account ``admin``
    may not be among them."""
    seen: set[str] = set()
    for number, entry in enumerate(entries):
        name = entry.get(kind.key) if isinstance(entry, Mapping) else None
        place = f"{where}.{name}" if isinstance(name, str) and name else f"{where}[{number}]"
        faults = list(_shape(kind, entry, place))
        yield from faults or _values(kind, entry, place, admin)
        if not isinstance(name, str) or not name:
            continue
        if name in seen:
            yield Fault("twice", place, "two entries", "one", "Remove one of them: the last one would win.")
        seen.add(name)
    if kind.name == "user":
        yield from _addresses(entries, where)


def _shape(kind: Kind, entry: Any, place: str) -> Iterator[Fault]:
    """Fields that are missing, unknown or of another type."""
    if not isinstance(entry, Mapping):
        yield Fault("shape", place, "no dictionary", f"the fields of a {kind.name}", f"Begin with {kind.key}.")
        return
    for name in entry:
        if name not in kind.fields:
            close = difflib.get_close_matches(str(name), kind.fields, n=1)
            remedy = f"Did you mean {close[0]}?" if close else "Remove it."
            yield Fault("shape", f"{place}.{name}", "an unknown field", f"one of {', '.join(kind.fields)}", remedy)
    for name, option in kind.fields.items():
        value = entry.get(name)
        if value is None:
            if option.required or (name == "conn_type" and not entry.get("uri")):
                yield Fault("shape", f"{place}.{name}", "no value", _WORDS[option.type], "Give it.")
            continue
        fits = isinstance(value, _PYTHON[option.type])
        if option.type == "int":
            fits = fits and not isinstance(value, bool)
        if option.type == "list":
            fits = fits and all(isinstance(each, str) for each in value)
        if not fits:
            remedy = "Write it in quotes." if option.type == "str" else f"Write it as {_WORDS[option.type]}."
            yield Fault("shape", f"{place}.{name}", "a value of another type", _WORDS[option.type], remedy)
        elif option.required and option.type in ("str", "list", "dict") and not value and name != "permissions":
            remedy = "A user without a role may do nothing: name one." if name == "roles" else "Give it."
            yield Fault("shape", f"{place}.{name}", "nothing", _WORDS[option.type], remedy)


def _values(kind: Kind, entry: Mapping[str, Any], place: str, admin: str) -> Iterator[Fault]:
    """Values that have the right type and cannot be."""
    name = entry[kind.key]
    if kind.name == "connection":
        yield from _connection(entry, name, place)
    elif kind.name == "variable" and len(name) > 250:
        yield Fault("value", place, f"a key of {len(name)} characters", "250 at most", "Choose a shorter one.")
    elif kind.name == "pool":
        if entry["slots"] < -1:
            expected = "-1 for no limit, 0 for none, or a number of slots"
            yield Fault("value", f"{place}.slots", str(entry["slots"]), expected, "Correct it.")
        if len(name) > 256:
            yield Fault("value", place, f"a name of {len(name)} characters", "256 at most", "Choose a shorter one.")
        if name == DEFAULT_POOL and entry.get("description"):
            remedy = "Airflow keeps that of its own pool: leave it out."
            yield Fault("reserved", f"{place}.description", "a text", "none", remedy)
    elif kind.name == "user":
        if name == admin:
            expected = "other accounts than airflow_admin_user"
            remedy = "Set airflow_admin_password and airflow_admin_email for it."
            yield Fault("reserved", place, "the account of the administrator", expected, remedy)
        if "@" not in entry["email"]:
            yield Fault("value", f"{place}.email", repr(entry["email"]), "an address with one '@'", "Correct it.")
        if entry.get("password") == "":
            remedy = "Leave it out for a user who logs in elsewhere, by LDAP or OpenID Connect."
            yield Fault("value", f"{place}.password", "an empty one", "a password", remedy)
    elif kind.name == "role":
        yield from _role(entry, name, place)


def _connection(entry: Mapping[str, Any], name: str, place: str) -> Iterator[Fault]:
    if not _ID.fullmatch(name):
        expected = "1 to 200 letters, digits, '_', '-' and '.'"
        yield Fault("value", f"{place}.conn_id", repr(name), expected, "Rename it.")
    port = entry.get("port")
    if port is not None and not 0 < port < 65536:
        yield Fault("value", f"{place}.port", str(port), "1 to 65535", "Correct it.")
    for key in ("password", "extra"):
        if MASK in leaves(entry.get(key)):
            remedy = "It is what Airflow shows in the place of a secret: give the secret itself."
            yield Fault("value", f"{place}.{key}", f"the text {MASK}", "a secret", remedy)
    if not entry.get("uri"):
        return
    mixed = [part for part in _PARTS_OF_URI if entry.get(part) is not None]
    if mixed:
        remedy = "Use the URI, or the fields that it stands for."
        yield Fault("uri", f"{place}.uri", f"it and {', '.join(mixed)}", "one of them", remedy)
        return
    try:
        from_uri(entry["uri"])
    except ValueError as error:
        remedy = "Quote what has a meaning in URIs, or use the fields in its place."
        yield Fault("uri", f"{place}.uri", str(error), "type://login:password@host:port/schema?extra", remedy)


def _role(entry: Mapping[str, Any], name: str, place: str) -> Iterator[Fault]:
    if name in FIXED_ROLES:
        remedy = "Airflow gives it its permissions again at each start: declare a role of your own."
        yield Fault("reserved", place, "a role of Airflow's own", "another name", remedy)
    for resource, actions in entry["permissions"].items():
        where = f"{place}.permissions.{resource}"
        if not isinstance(actions, (list, tuple)) or not all(isinstance(action, str) for action in actions):
            yield Fault("shape", where, "no list of texts", "a list such as [can_read]", "Write it as a list.")
        elif not actions:
            yield Fault("value", where, "no action", "a list such as [can_read]", "Name one, or remove the line.")


def _addresses(entries: Iterable[Any], where: str) -> Iterator[Fault]:
    """Users with the same address, which Airflow refuses."""
    seen: set[str] = set()
    for entry in entries:
        address = entry.get("email") if isinstance(entry, Mapping) else None
        if isinstance(address, str) and address and address.lower() in seen:
            place = f"{where}.{entry.get('username')}.email"
            yield Fault("twice", place, "the address of another user", "one of their own", "Change one.")
        if isinstance(address, str):
            seen.add(address.lower())


def leaves(value: Any) -> list[Any]:
    """The values in ``value`` that hold no others."""
    if isinstance(value, Mapping):
        return [leaf for each in value.values() for leaf in leaves(each)]
    if isinstance(value, (list, tuple)):
        return [leaf for each in value for leaf in leaves(each)]
    return [value]


def from_uri(uri: str) -> dict[str, Any]:
    """The fields that Airflow reads in the URI of a connection.

    Raises ValueError, without a part of the URI, for what Airflow would refuse or misread.
    """
    if uri.count("://") not in (1, 2):
        raise ValueError("no URI")
    scheme, rest = uri.split("://", 1)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+._-]*", scheme):
        raise ValueError("no URI")
    protocol = ""
    if "://" in rest:
        protocol, rest = rest.split("://", 1)
        if "@" in protocol or ":" in protocol:
            raise ValueError("a URI with :// in its login")
    try:
        parts = urlsplit(f"//{rest}")
        host, port = unquote(parts.hostname or ""), parts.port
    except ValueError:
        raise ValueError("a URI with a host or a port that is none") from None
    if "/" in host:
        # A path, such as that of a socket, which keeps its capitals.
        host = unquote(parts.netloc.rpartition("@")[2].partition(":")[0])
    extra: Any = None
    if parts.query:
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        try:
            extra = json.loads(query["__extra__"]) if "__extra__" in query else _json_values(query)
        except ValueError:
            raise ValueError("a URI whose __extra__ is no JSON") from None
        if not isinstance(extra, dict):
            raise ValueError("a URI whose __extra__ is no dictionary")
    scheme = scheme.lower()
    kind = "postgres" if scheme == "postgresql" else scheme.replace("-", "_")
    return {
        "conn_type": kind,
        "host": f"{protocol}://{host}" if protocol and host else host,
        "login": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "schema": unquote(parts.path[1:]),
        "port": port,
        "extra": extra,
    }


def _json_values(query: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of a URI, those that are JSON decoded."""
    found: dict[str, Any] = {}
    for key, value in query.items():
        try:
            found[key] = json.loads(value) if value else value
        except ValueError:
            found[key] = value
    return found


def permissions(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Pairs of action and resource as they are declared: the actions of each resource."""
    found: dict[str, set[str]] = {}
    for action, resource in pairs:
        found.setdefault(resource, set()).add(action)
    return {resource: sorted(actions) for resource, actions in sorted(found.items())}


def pairs(declared: Mapping[str, Iterable[str]]) -> set[tuple[str, str]]:
    """The opposite of ``permissions``."""
    return {(str(action), str(resource)) for resource, actions in declared.items() for action in actions}


def declared(kind: Kind, entry: Mapping[str, Any]) -> dict[str, Any]:
    """A declaration in the form in which objects are compared: all fields, text without a value as empty text.

    A user's password is left out: Airflow shows none.
    """
    given = {key: value for key, value in entry.items() if value is not None}
    if kind.name == "connection" and given.get("uri"):
        given = {**given, **from_uri(given["uri"])}
    if kind.name == "role":
        return {"name": str(given["name"]), "permissions": permissions(pairs(given["permissions"]))}
    found: dict[str, Any] = {}
    for name, option in kind.fields.items():
        value = given.get(name)
        if name == "uri" or (kind.name == "user" and name == "password"):
            continue
        if option.type == "str":
            value = str(value or "")
        elif option.type == "dict":
            value = plain(value or {})
        elif option.type == "list":
            value = sorted({str(each) for each in value or ()})
        elif option.type == "bool":
            value = bool(value)
        elif option.type == "raw":
            value = value if isinstance(value, str) else json.dumps(plain(value), indent=2, ensure_ascii=False)
        found[name] = value
    return found


def plain(value: Any) -> Any:
    """``value`` without what Ansible attaches to it."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return str(value) if isinstance(value, str) else value


def compare(kind: Kind, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, str]:
    """How each field of two objects compares: same, different, or unknown because of a mask."""
    said = {}
    for name, value in wanted.items():
        other = found.get(name)
        if kind.name == "variable" and name == "value":
            said[name] = _compare_texts(value, other)
        elif kind.name == "pool" and name == "description" and wanted["name"] == DEFAULT_POOL:
            said[name] = SAME
        elif other is None and name == "password":
            # Airflow 2 does not even say whether there is one.
            said[name] = UNKNOWN if value else SAME
        else:
            said[name] = _compare(value, other)
    return said


def _compare_texts(wanted: str, found: Any) -> str:
    """Values of variables: JSON however it is written, where both are."""
    said = _compare(wanted, found)
    if said == SAME:
        return said
    try:
        values = json.loads(wanted), json.loads(found)
    except (TypeError, ValueError):
        return said
    if all(isinstance(value, (dict, list)) for value in values):
        return _compare(*values)
    return said


def _compare(wanted: Any, found: Any) -> str:
    if type(wanted) is type(found) and wanted == found:
        return SAME
    if isinstance(found, str) and MASK in found and wanted not in ("", None):
        return UNKNOWN
    if isinstance(wanted, Mapping) and isinstance(found, Mapping) and wanted.keys() == found.keys():
        return _worst(_compare(value, found[key]) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return _worst(_compare(*both) for both in zip(wanted, found, strict=True))
    return DIFFERENT


def _worst(said: Iterable[str]) -> str:
    every = set(said)
    return next((each for each in (DIFFERENT, UNKNOWN) if each in every), SAME)


@dataclass
class Change:
    """What happens to one object. ``before`` is None for one that is created, ``after`` for one that is deleted."""

    kind: Kind
    name: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    # The fields that differ or may differ; a user's password is among them.
    fields: dict[str, str] = field(default_factory=dict)
    # To be set; None where a user keeps theirs.
    password: str | None = None

    @property
    def action(self) -> str:
        """What happens: created, updated or deleted."""
        return "created" if self.before is None else "deleted" if self.after is None else "updated"

    def shown(self, side: str) -> dict[str, Any] | None:
        """The object before or after, nothing that Airflow encrypts in it."""
        values = self.before if side == "before" else self.after
        if values is None:
            return None
        other = side == "after" and self.before is not None
        found = {}
        for name, value in values.items():
            label = OTHER if other and self.fields.get(name) else HIDDEN
            if not self.kind.fields[name].secret or not value:
                found[name] = value
            elif isinstance(value, Mapping):
                # Their keys help, and are no secrets.
                compared = self.before.get(name) if other and self.before else None
                same = compared if isinstance(compared, Mapping) else {}
                found[name] = {
                    key: HIDDEN if not other or _compare(each, same.get(key)) == SAME else OTHER
                    for key, each in value.items()
                }
            else:
                found[name] = label
        if self.kind.name == "user":
            found["password"] = OTHER if self.password is not None and other else HIDDEN
        return found


def plan(
    kind: Kind,
    wanted: Mapping[str, Mapping[str, Any]],
    found: Mapping[str, Mapping[str, Any]],
    absent: Iterable[str] = (),
    *,
    write_unknown: bool = False,
    passwords: Mapping[str, str] | None = None,
) -> list[Change]:
    """The changes that make of ``found`` what is ``wanted``, and delete the ``absent``.

    ``write_unknown``: whether an object of which only a masked secret may differ is written. ``passwords`` are those of
    users that are to be set.
    """
    changes = []
    new = passwords or {}
    for name, after in wanted.items():
        before = found.get(name)
        password = new.get(name)
        if before is None:
            changes.append(Change(kind, name, None, dict(after), password=password))
            continue
        said = {key: value for key, value in compare(kind, after, before).items() if value != SAME}
        if password is not None or DIFFERENT in said.values() or (said and write_unknown):
            changes.append(Change(kind, name, dict(before), dict(after), said, password))
    changes += [Change(kind, name, dict(found[name]), None) for name in absent if name in found]
    return changes


def diff(changes: Iterable[Change]) -> dict[str, str]:
    """What ``--diff`` shows: the objects that change, before and after."""
    sides: dict[str, dict[str, dict[str, Any]]] = {"before": {}, "after": {}}
    for change in changes:
        for side, found in sides.items():
            shown = change.shown(side)
            if shown is not None:
                found.setdefault(change.kind.plural, {})[change.name] = shown
    return {
        side: json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n" if found else ""
        for side, found in sides.items()
    }
