"""Accounts of databases and brokers, and pairs of users of which one is in use."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

_FLAGS = "LOGIN,NOSUPERUSER,NOCREATEDB,NOCREATEROLE"


def effective(values: Mapping[str, str], rotation: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` as the hosts get them in the course of a rotation.

    ``rotation`` may have ``alternate_users``, the passwords of PAIRED that belong to the alternate user now, and ``next_fernet_key``, which
    decrypts already and encrypts later.
    """
    keys = [values.get("fernet_key", ""), rotation.get("next_fernet_key", "")]
    return {**values, "fernet_key": ",".join(filter(None, keys)), "alternate_users": list(rotation.get("alternate_users", ()))}


def alternate_user(user: str) -> str:
    """The other user of a pair."""
    return f"{user}_b"


def login(user: str, secret: str, values: Mapping[str, Any]) -> str:
    """Which of the pair of ``user`` and its alternate user has the password ``secret`` now."""
    return alternate_user(user) if secret in values.get("alternate_users", ()) else user


def database_users(databases: Iterable[Mapping[str, Any]], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The users of ``databases`` (the model's) as postgresql_user takes them.

    The alternate user of a pair acts as the first, so that everything belongs to the first and the alternate has its rights. While the
    alternate is active the first stays as it is, without a password of its own.
    """
    users: list[dict[str, Any]] = []
    for database in databases:
        if "owner" in database:
            users.append({"name": database["owner"], "password": values[database["owner_secret"]], "flags": _FLAGS})
        first, password = database["user"], values[database["secret"]]
        current = login(first, database["secret"], values)
        if current == first:
            users.append({"name": first, "password": password, "flags": _FLAGS})
        else:
            users.append({"name": first, "flags": _FLAGS.removeprefix("LOGIN,")})
            users.append({"name": current, "password": password, "flags": _FLAGS, "acts_as": first})
    return users


def of_login(secret: str, user: str) -> str:
    """The password of ``user`` that follows from a ``secret`` of all: who has one of them knows neither the secret nor another."""
    return hmac.new(secret.encode(), user.encode(), hashlib.sha256).hexdigest()


def extra_users(users: Iterable[Mapping[str, Any]], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The extra ``users`` of the model as postgresql_user takes them, with their passwords from ``values``.

    The password of a ``derived`` one follows from the secret and its name. Without ``login`` the right to log in stays as it is: it is
    granted and revoked at run time. With ``acts_as`` it acts as that user.
    """
    found = []
    for user in users:
        password = str(values[user["secret"]])
        found.append(
            {
                "name": user["user"],
                "password": of_login(password, user["user"]) if user["derived"] else password,
                "flags": _FLAGS if user["login"] else _FLAGS.removeprefix("LOGIN,"),
                **({"acts_as": user["acts_as"]} if user["acts_as"] else {}),
            }
        )
    return found


def inactive_users(accounts: Iterable[Mapping[str, Any]], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of each pair of users the inactive one; ``accounts`` have ``user`` and ``secret``."""
    pairs = [(account["user"], login(account["user"], account["secret"], values)) for account in accounts]
    return [{"name": alternate_user(user) if current == user else user, "first": current != user} for user, current in pairs]
