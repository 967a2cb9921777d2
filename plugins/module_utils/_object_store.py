# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Objects in an Airflow: read and written by its REST API, with what only its metastore tells."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.module_utils._airflow_api import Api, ApiError, quoted
from ansible_collections.flightdeck.airflow.plugins.module_utils._objects import (
    DEFAULT_POOL,
    KINDS,
    Change,
    Kind,
    pairs,
    permissions,
)

FAB = "/auth/fab/v1"
_PATHS = {
    "role": f"{FAB}/roles",
    "user": f"{FAB}/users",
    "pool": "/pools",
    "variable": "/variables",
    "connection": "/connections",
}
# Objects in one request.
_BULK = 100


class RefusedError(Exception):
    """What keeps the objects from being written, as one line with its code."""


@dataclass
class Metastore:
    """What Airflow encrypts, read from its database: the API shows none of it."""

    # By id: password and extra; by key; by user name. What the key does not decrypt is empty.
    connections: dict[str, tuple[str, str]]
    variables: dict[str, str]
    hashes: dict[str, str]

    def knows(self, user: str, password: str) -> bool:
        """Whether ``password`` is that of ``user``."""
        from werkzeug.security import check_password_hash

        return bool(self.hashes.get(user)) and check_password_hash(self.hashes[user], password)


def metastore(url: str, keys: str) -> Metastore:
    """What is in the database at ``url``, decrypted with the Fernet ``keys``. Raises what SQLAlchemy and its drivers
    do."""
    from cryptography.fernet import Fernet, InvalidToken, MultiFernet
    from sqlalchemy import column, create_engine, inspect, select, table

    fernet = MultiFernet([Fernet(key) for key in keys.split(",")]) if keys else None

    def clear(value: str | None, encrypted: bool) -> str:
        if not value or not encrypted:
            return value or ""
        try:
            return fernet.decrypt(value.encode()).decode() if fernet else ""
        except InvalidToken:
            return ""

    # Airflow 2 has an SQLAlchemy whose select has another form otherwise.
    engine = create_engine(url, future=True)
    with engine.connect() as connection:

        def rows(name: str, *columns: str) -> Iterator[Any]:
            yield from connection.execute(select(*map(column, columns)).select_from(table(name)))

        secrets = rows("connection", "conn_id", "password", "is_encrypted", "extra", "is_extra_encrypted")
        found = {row[0]: (clear(row[1], row[2]), clear(row[3], row[4])) for row in secrets}
        values = {row[0]: clear(row[1], row[2]) for row in rows("variable", "key", "val", "is_encrypted")}
        # Without Airflow's own auth manager there is none.
        accounts = rows("ab_user", "username", "password") if "ab_user" in inspect(engine).get_table_names() else ()
        return Metastore(found, values, {row[0]: row[1] or "" for row in accounts})


class Store:
    """The objects of the Airflow behind ``api``, which has logged in. Where there is a ``metastore``, nothing is
    masked."""

    def __init__(self, api: Api, metastore: Metastore | None = None) -> None:
        self.api, self.metastore = api, metastore

    def read(self, kind: Kind, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """All objects of a kind in the form in which they are compared. Raises ApiError, and RefusedError.

        ``names`` are those that the caller compares: where the API says less of all than of one, it is asked for each.
        """
        try:
            items = list(self.api.get_all(_PATHS[kind.name], kind.plural))
        except ApiError as error:
            if error.status == 404 and kind.name in ("user", "role"):
                raise RefusedError(
                    f"FD267 {kind.plural}: found an Airflow without its own auth manager, FAB, at {self.api.url}; "
                    f"expected one that keeps {kind.plural}. Declare them where they are kept."
                ) from error
            raise
        found = {}
        wanted = set(names)
        for item in items:
            name = str(item["connection_id" if kind.name == "connection" else kind.key])
            if kind.name == "connection" and "extra" not in item and not self.metastore and name in wanted:
                item = self.api.get(f"{_PATHS[kind.name]}/{quoted(name)}")
            found[name] = self._normal(kind, name, item)
        return found

    def _normal(self, kind: Kind, name: str, item: Mapping[str, Any]) -> dict[str, Any]:
        """What the API says of an object, as it is compared."""
        if kind.name == "role":
            given = ((each["action"]["name"], each["resource"]["name"]) for each in item.get("actions") or ())
            return {"name": name, "permissions": permissions(given)}
        if kind.name == "user":
            texts = {key: str(item.get(key) or "") for key in ("username", "email", "first_name", "last_name")}
            return {**texts, "roles": sorted({str(role["name"]) for role in item.get("roles") or ()})}
        if kind.name == "pool":
            return {
                "name": name,
                "slots": item["slots"],
                "description": item.get("description") or "",
                "include_deferred": bool(item.get("include_deferred")),
            }
        if kind.name == "variable":
            value = self.metastore.variables.get(name) if self.metastore else item.get("value")
            return {"key": name, "value": str(value or ""), "description": item.get("description") or ""}
        texts = {key: item.get(key) or "" for key in ("conn_type", "description", "host", "login", "schema")}
        password: str | None
        if self.metastore:
            password, extra = self.metastore.connections.get(name, ("", ""))
        else:
            # Airflow 2 says nothing of a password.
            password, extra = (item["password"] or "") if "password" in item else None, item.get("extra") or ""
        return {"conn_id": name, **texts, "port": item.get("port"), "password": password, "extra": _extra(extra)}

    def knows(self, user: str, password: str) -> bool:
        """Whether ``password`` is that of ``user``. Raises ApiError."""
        return self.metastore.knows(user, password) if self.metastore else self.api.knows(user, password)

    def grantable(self, roles: Iterable[Mapping[str, Any]]) -> tuple[set[str], set[str]]:
        """The actions and the resources that this Airflow knows; ``roles`` are all of it. Raises ApiError."""
        known = {pair for role in roles for pair in pairs(role["permissions"])}
        actions = {action for action, _resource in known}
        resources = {resource for _action, resource in known}
        # Airflow 2 lists actions alone.
        for item in self.api.get_all(f"{FAB}/permissions", "actions"):
            if "resource" in item:
                actions.add(item["action"]["name"])
                resources.add(item["resource"]["name"])
            else:
                actions.add(item["name"])
        return actions, resources

    def write(self, changes: Iterable[Change]) -> None:
        """Make the ``changes`` of one kind or of several: what is made or changed first. Raises RefusedError, and
        ApiError when there is no answer."""
        every = list(changes)
        for kind in KINDS.values():
            self._write(kind, [change for change in every if change.kind is kind and change.after])
        for kind in reversed(KINDS.values()):
            self._write(kind, [change for change in every if change.kind is kind and not change.after])

    def _write(self, kind: Kind, changes: list[Change]) -> None:
        single = [change for change in changes if change.name == DEFAULT_POOL or kind.name in ("user", "role")]
        if self.api.major < 3:
            single = changes
        for change in single:
            self._request(change)
        bulk = [change for change in changes if change not in single]
        for start in range(0, len(bulk), _BULK):
            self._bulk(kind, bulk[start : start + _BULK])

    def _bulk(self, kind: Kind, changes: list[Change]) -> None:
        """Several objects in one request, which Airflow 3 makes as a whole or not at all.

        Deletions have their own: one request never makes what it deletes, in whatever order.
        """
        actions: list[dict[str, Any]] = []
        gone = [change.name for change in changes if not change.after or _must_be_new(change)]
        if gone:
            actions.append({"action": "delete", "entities": gone, "action_on_non_existence": "skip"})
        bodies = [_body(change) for change in changes if change.after]
        if bodies:
            actions.append({"action": "create", "entities": bodies, "action_on_existence": "overwrite"})
        names = ", ".join(change.name for change in changes[:5]) + (" and others" if len(changes) > 5 else "")
        for action in actions:
            try:
                said = self.api.patch(_PATHS[kind.name], {"actions": [action]})
            except ApiError as error:
                raise _refusal(f"{kind.plural} {names}", error) from error
            errors = [str(each.get("error")) for done in said.values() if done for each in done.get("errors") or ()]
            if errors:
                raise _refusal(f"{kind.plural} {names}", ApiError("; ".join(errors), 409))

    def _request(self, change: Change) -> None:
        """One object in a request of its own."""
        path = _PATHS[change.kind.name]
        own = f"{path}/{quoted(change.name)}"
        try:
            if not change.after or _must_be_new(change):
                self._delete(own)
            if not change.after:
                return
            body = _body(change)
            if change.before is None or _must_be_new(change):
                try:
                    self.api.post(path, body)
                except ApiError as error:
                    # The answer to a first attempt was lost.
                    if error.status != 409:
                        raise
                    self.api.patch(own, body)
            elif change.name == DEFAULT_POOL and change.kind.name == "pool":
                self.api.patch(own + _pool_mask(self.api.major), body)
            else:
                self.api.patch(own, body)
        except ApiError as error:
            raise _refusal(f"{change.kind.name} {change.name}", error) from error
        if change.kind.name == "role":
            self._assert_revoked(change)

    def _delete(self, path: str) -> None:
        try:
            self.api.delete(path)
        except ApiError as error:
            # It was deleted meanwhile, or the answer to a first attempt was lost.
            if error.status != 404:
                raise

    def _assert_revoked(self, change: Change) -> None:
        """Whether the role has what it should have: the API of some releases gives permissions and takes none."""
        item = self.api.get(f"{_PATHS['role']}/{quoted(change.name)}")
        left = pairs(self._normal(change.kind, change.name, item)["permissions"])
        left -= pairs((change.after or {})["permissions"])
        if left:
            shown = ", ".join(f"{action} on {resource}" for action, resource in sorted(left))
            raise RefusedError(
                f"FD268 role {change.name}: found {shown}, which the API of this release does not take away; expected "
                "what is declared. Take it away in the UI, or delete the role there and run again."
            )


def _must_be_new(change: Change) -> bool:
    """Whether a connection loses its password: the API changes one, and never takes one away."""
    before, after = change.before, change.after
    return bool(change.kind.name == "connection" and before and after and before["password"] and not after["password"])


def _extra(text: str) -> Any:
    """The extra of a connection; the text as it is where it is no JSON."""
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return text


def _body(change: Change) -> dict[str, Any]:
    """What is sent for an object."""
    after = change.after or {}
    kind = change.kind.name
    if kind == "role":
        every = sorted(pairs(after["permissions"]))
        named = [{"action": {"name": action}, "resource": {"name": resource}} for action, resource in every]
        return {"name": after["name"], "actions": named}
    if kind == "user":
        body = {**after, "roles": [{"name": role} for role in after["roles"]]}
        return body if change.password is None else {**body, "password": change.password}
    if kind == "pool" and change.name == DEFAULT_POOL:
        return {key: after[key] for key in ("slots", "include_deferred")}
    if kind == "connection":
        body = {key: value for key, value in after.items() if key not in ("conn_id", "extra")}
        for key in ("host", "login", "schema", "description"):
            body[key] = body[key] or None
        # A null is refused by Airflow 2, and changes nothing in Airflow 3.
        if not body["password"]:
            del body["password"]
        extra = json.dumps(after["extra"], ensure_ascii=False) if after["extra"] else None
        return {"connection_id": after["conn_id"], **body, "extra": extra}
    return dict(after)


def _pool_mask(major: int) -> str:
    return "?update_mask=slots&update_mask=include_deferred" if major >= 3 else "?update_mask=slots,include_deferred"


def _refusal(what: str, error: ApiError) -> Exception:
    """``error`` of a request for ``what``: a refusal, or no answer."""
    if not error.status or error.status >= 500:
        return error
    return RefusedError(
        f"FD268 {what}: found an answer of Airflow that refuses it ({error}); expected one that it takes. Correct what "
        "it names. What was written before stays, and the next run goes on."
    )
