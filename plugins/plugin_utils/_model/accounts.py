"""Accounts of databases and brokers, and pairs of users of which one is in use."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Account, Database, LeaseAccounts
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.plain import Plain

_FLAGS = "LOGIN,NOSUPERUSER,NOCREATEDB,NOCREATEROLE"


@dataclass(frozen=True)
class Secrets:
    """The values of secrets by name as the hosts have them, in the variable ``airflow_secrets``. They are not shown.

    ``second_users`` are the passwords of PAIRED that belong to the second user of their pair now.
    """

    values: Mapping[str, str] = field(repr=False)
    second_users: tuple[str, ...] = ()

    @classmethod
    def from_vars(cls, variables: Mapping[str, object]) -> Secrets:
        """The secrets from ``variables``, which ``to_vars`` made and to which others may have been added."""
        second_users = variables.get("second_users", ())
        names = [str(name) for name in second_users] if isinstance(second_users, (list, tuple)) else []
        return cls({name: str(value) for name, value in variables.items() if name != "second_users"}, tuple(names))

    def to_vars(self) -> dict[str, object]:
        """The secrets as plain data."""
        return {**self.values, "second_users": list(self.second_users)}

    def __getitem__(self, name: str) -> str:
        """The value of the secret ``name``. Raises KeyError."""
        return self.values[name]


@dataclass(frozen=True, kw_only=True)
class RestingUser(Plain):
    """That one of a pair of users which is not in use; ``first`` says whether it is the first one."""

    name: str
    first: bool


def in_force(values: Mapping[str, str], rotation: Mapping[str, object]) -> Secrets:
    """``values`` as the hosts get them in the course of a rotation.

    ``rotation`` may have ``second_users``, the passwords of PAIRED that belong to the second user now, and ``next_fernet_key``,
    which decrypts already and encrypts later.
    """
    keys = [values.get("fernet_key", ""), str(rotation.get("next_fernet_key", ""))]
    return Secrets.from_vars({**values, "fernet_key": ",".join(filter(None, keys)), "second_users": rotation.get("second_users", ())})


def second(user: str) -> str:
    """The second user of the pair whose first one is ``user``."""
    return f"{user}_b"


def login(user: str, secret: str, secrets: Secrets) -> str:
    """That one of the pair of ``user`` and its second which has the password ``secret`` now."""
    return second(user) if secret in secrets.second_users else user


def database_users(databases: Iterable[Database], secrets: Secrets) -> list[dict[str, str]]:
    """The users of ``databases`` as postgresql_user takes them. Raises KeyError for a missing secret.

    The second of a pair acts as the first, so that everything belongs to the first and what it may the second may, too. The first
    stays without a password of its own, and as it is, while the second is in force.
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
    """The password of ``user`` that follows from a common ``secret``: who has one of them knows neither the secret nor another."""
    return hmac.new(secret.encode(), user.encode(), hashlib.sha256).hexdigest()


def turn_users(turns: LeaseAccounts | None, secrets: Secrets) -> list[dict[str, str]]:
    """The users of ``turns``, singleton mode, as postgresql_user takes them; none without it. Raises KeyError for a missing secret.

    Whether a scheduler's user can log in is left open: the lease decides it.
    """
    if not turns:
        return []
    own = {"flags": _FLAGS.removeprefix("LOGIN,"), "acts_as": turns.acts_as}
    names = [login.user for login in turns.logins]
    schedulers = [{"name": name, "password": of_login(secrets[turns.login_secret], name), **own} for name in names]
    return [{"name": turns.user, "password": secrets[turns.secret], "flags": _FLAGS}, *schedulers]


def resting_users(accounts: Iterable[Account], secrets: Secrets) -> list[RestingUser]:
    """Of each of the ``accounts``, which have a second user, the one that is not in use."""
    pairs = [(account.user, login(account.user, account.secret, secrets)) for account in accounts]
    return [RestingUser(name=second(user) if current == user else user, first=current != user) for user, current in pairs]
