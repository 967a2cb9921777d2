# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of databases and brokers, and pairs of users of which one is in use."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Account, Database, ExtraUser
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.plain import Plain

_FLAGS = "LOGIN,NOSUPERUSER,NOCREATEDB,NOCREATEROLE"


@dataclass(frozen=True)
class Secrets:
    """The values of secrets by name as the hosts have them, in the variable ``airflow_secrets``. They are not shown.

    ``alternate_users`` are the passwords of PAIRED that belong to the alternate user of their pair now.
    """

    values: Mapping[str, str] = field(repr=False)
    alternate_users: tuple[str, ...] = ()

    @classmethod
    def from_vars(cls, variables: Mapping[str, object]) -> Secrets:
        """The secrets from ``variables``, which ``to_vars`` made and to which others may have been added."""
        alternate_users = variables.get("alternate_users", ())
        names = [str(name) for name in alternate_users] if isinstance(alternate_users, (list, tuple)) else []
        return cls({name: str(value) for name, value in variables.items() if name != "alternate_users"}, tuple(names))

    def to_vars(self) -> dict[str, object]:
        """The secrets as plain data."""
        return {**self.values, "alternate_users": list(self.alternate_users)}

    def __getitem__(self, name: str) -> str:
        """The value of the secret ``name``. Raises KeyError."""
        return self.values[name]


@dataclass(frozen=True, kw_only=True)
class InactiveUser(Plain):
    """That one of a pair of users which is not in use; ``first`` says whether it is the first one."""

    name: str
    first: bool


def effective(values: Mapping[str, str], rotation: Mapping[str, object]) -> Secrets:
    """``values`` as the hosts get them in the course of a rotation.

    ``rotation`` may have ``alternate_users``, the passwords of PAIRED that belong to the alternate user now, and
    ``next_fernet_key``, which decrypts already and encrypts later.
    """
    keys = [values.get("fernet_key", ""), str(rotation.get("next_fernet_key", ""))]
    alternate_users = rotation.get("alternate_users", ())
    return Secrets.from_vars({**values, "fernet_key": ",".join(filter(None, keys)), "alternate_users": alternate_users})


def alternate_user(user: str) -> str:
    """The other user of the pair whose first one is ``user``."""
    return f"{user}_b"


def login(user: str, secret: str, secrets: Secrets) -> str:
    """That one of the pair of ``user`` and its alternate user which has the password ``secret`` now."""
    return alternate_user(user) if secret in secrets.alternate_users else user


def database_users(databases: Iterable[Database], secrets: Secrets) -> list[dict[str, str]]:
    """The users of ``databases`` as postgresql_user takes them. Raises KeyError for a missing secret.

    The alternate user of a pair acts as the first, so that everything belongs to the first and the alternate has its
    rights. While the alternate is active the first stays as it is, without a password of its own.
    """
    users = []
    for database in databases:
        if database.owner and database.owner_secret:
            users.append({"name": database.owner, "password": secrets[database.owner_secret], "flags": _FLAGS})
        first, password = database.user, secrets[database.secret]
        current = login(first, database.secret, secrets)
        if current == first:
            users.append({"name": first, "password": password, "flags": _FLAGS})
        else:
            users.append({"name": first, "flags": _FLAGS.removeprefix("LOGIN,")})
            users.append({"name": current, "password": password, "flags": _FLAGS, "acts_as": first})
    return users


def of_login(secret: str, user: str) -> str:
    """The password of ``user`` that follows from a common ``secret``: who has one of them knows neither the secret
    nor another."""
    return hmac.new(secret.encode(), user.encode(), hashlib.sha256).hexdigest()


def extra_users(users: Iterable[ExtraUser], secrets: Secrets) -> list[dict[str, str]]:
    """The extra ``users`` of the metastore as postgresql_user takes them. Raises KeyError for a missing secret.

    Without ``login`` the right to log in stays as it is: it is granted and revoked at run time.
    """
    found = []
    for user in users:
        password = secrets[user.secret]
        found.append(
            {
                "name": user.user,
                "password": of_login(password, user.user) if user.derived else password,
                "flags": _FLAGS if user.login else _FLAGS.removeprefix("LOGIN,"),
                **({"acts_as": user.acts_as} if user.acts_as else {}),
            }
        )
    return found


def inactive_users(accounts: Iterable[Account], secrets: Secrets) -> list[InactiveUser]:
    """Of each of the ``accounts``, which are pairs of users, the one that is not in use."""
    pairs = [(account.user, login(account.user, account.secret, secrets)) for account in accounts]
    return [
        InactiveUser(name=alternate_user(user) if current == user else user, first=current != user)
        for user, current in pairs
    ]
