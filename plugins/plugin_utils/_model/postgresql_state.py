# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users, databases and rights of a PostgreSQL server compared with those that it should have.

A run asks the server once, and its modules, which take a second each, for what differs alone. What cannot be compared
counts as different: the module decides then.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Database

_VERIFIER = re.compile(r"SCRAM-SHA-256\$(\d+):([^$]+)\$[^:]+:(.+)")
# Types of objects as pg_default_acl has them.
_KINDS = {"TABLES": "r", "SEQUENCES": "S"}


@dataclass(frozen=True)
class HeldUser:
    """A user of a server: ``attributes`` by their names in CREATE ROLE, ``verifier`` of its password, the ``settings``
    of its sessions as ``name=value``, and the ``groups`` that it is a member of.
    """

    attributes: Mapping[str, bool]
    verifier: str
    settings: frozenset[str]
    groups: frozenset[str]

    @classmethod
    def from_row(cls, row: Mapping[str, object]) -> HeldUser:
        """From ``row``, a value of the column ``users`` of the role's query."""
        lists = {name: row[name] or () for name in ("settings", "groups")}
        found = {name: frozenset(map(str, each)) for name, each in lists.items() if isinstance(each, (list, tuple))}
        attributes = row["attributes"]
        if not isinstance(attributes, Mapping):
            raise TypeError(f"attributes of a user: found {type(attributes).__name__}; expected a mapping")
        return cls(attributes, str(row["verifier"] or ""), found["settings"], found["groups"])


def verifies(password: str, verifier: str) -> bool:
    """Whether ``verifier``, as pg_authid has it (RFC 5802), is surely that of ``password``.

    False for one with other characters than those of ASCII that print: those are normalized before they are hashed.
    """
    found = _VERIFIER.fullmatch(verifier)
    if not found or not (password.isascii() and password.isprintable()):
        return False
    iterations, salt, server_key = int(found[1]), base64.b64decode(found[2]), base64.b64decode(found[3])
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    return hmac.compare_digest(hmac.new(salted, b"Server Key", hashlib.sha256).digest(), server_key)


def _is_alike(user: Mapping[str, str], held: HeldUser) -> bool:
    for flag in user["flags"].split(","):
        name = flag.removeprefix("NO")
        if held.attributes.get(name) is not (name == flag):
            return False
    if "password" in user and not verifies(user["password"], held.verifier):
        return False
    acts_as = user.get("acts_as")
    return not acts_as or (f"role={acts_as}" in held.settings and acts_as in held.groups)


def unlike_users(users: Iterable[Mapping[str, str]], held: Mapping[str, HeldUser]) -> list[Mapping[str, str]]:
    """Those of ``users``, as ``database_users`` makes them, that the server lacks or has otherwise; it has ``held``."""
    return [user for user in users if user["name"] not in held or not _is_alike(user, held[user["name"]])]


def unlike_databases(databases: Iterable[Database], held: Mapping[str, Mapping[str, str]]) -> list[Database]:
    """Those of ``databases`` that the server lacks or has otherwise; ``held`` has the owner and the encoding of each
    by its name.
    """
    return [
        database
        for database in databases
        if held.get(database.name) != {"owner": database.owner or database.user, "encoding": "UTF8"}
    ]


def ungranted(database: Database, rights: Mapping[str, str], held: Iterable[Mapping[str, str]]) -> list[str]:
    """Those of ``rights`` on objects that the owner of ``database`` will make which its user does not have.

    ``rights`` has privileges, with commas between them, by type of object. ``held`` has a row with owner, user, kind
    and privilege for each default privilege in the database.
    """
    found = {(row["owner"], row["user"], row["kind"], row["privilege"]) for row in held}
    return [
        objects
        for objects, privileges in rights.items()
        if not found.issuperset(
            (database.owner, database.user, _KINDS[objects], each) for each in privileges.split(",")
        )
    ]
