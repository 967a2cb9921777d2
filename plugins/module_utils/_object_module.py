# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""What the modules for objects have in common: how they reach an Airflow, and one run from reading to writing."""

from __future__ import annotations

import difflib
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _objects, _redaction
from ansible_collections.flightdeck.airflow.plugins.module_utils._airflow_api import Api, ApiError, Client, Deadline
from ansible_collections.flightdeck.airflow.plugins.module_utils._object_store import RefusedError, Store, metastore

# Documented in plugins/doc_fragments/api.py.
ACCESS: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "required": True},
    "api_username": {"type": "str"},
    "api_password": {"type": "str", "no_log": True},
    "api_token": {"type": "str", "no_log": True},
    "ca_path": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 60},
    "metastore_url": {"type": "str", "no_log": True},
    "fernet_key": {"type": "str", "no_log": True},
    "update_secrets": {"type": "str", "choices": ["always", "on_create"], "default": "always"},
}
_NEEDS: dict[str, Any] = {
    "mutually_exclusive": [("api_password", "api_token")],
    "required_one_of": [("api_password", "api_token")],
    "required_together": [("api_username", "api_password")],
}


def run_single(name: str) -> None:
    """Entry point of the module for one object of the kind ``name``."""
    kind = _objects.KINDS[name]
    spec: dict[str, dict[str, Any]] = {}
    for key, option in kind.fields.items():
        spec[key] = {"type": option.type, "required": key == kind.key}
        if option.type == "list":
            spec[key]["elements"] = "str"
        spec[key]["no_log"] = option.secret
    state = {"type": "str", "choices": ["present", "absent"], "default": "present"}
    module = AnsibleModule(argument_spec={**spec, "state": state, **ACCESS}, supports_check_mode=True, **_NEEDS)
    entry = {key: module.params[key] for key in kind.fields}
    if module.params["state"] == "present":
        _run(module, {name: [entry]}, {})
    _run(module, {name: []}, {name: [entry[kind.key]]})


def run_all() -> None:
    """Entry point of the module for all kinds at once."""
    spec: dict[str, dict[str, Any]] = {
        plural: {"type": "list", "elements": "raw", "default": [], "no_log": True} for plural in _objects.PLURALS
    }
    spec["must_answer"] = {"type": "bool", "default": True}
    spec["prune"] = {"type": "list", "elements": "str", "choices": list(_objects.PLURALS), "default": []}
    module = AnsibleModule(argument_spec={**spec, **ACCESS}, supports_check_mode=True, **_NEEDS)
    prune = module.params["prune"]
    if "users" in prune and module.params["api_token"]:
        module.fail_json(msg="prune with users needs api_username: the module does not delete its own account")
    wanted = {kind.name: module.params[plural] for plural, kind in _objects.PLURALS.items()}
    kinds = {name: entries for name, entries in wanted.items() if entries or _objects.KINDS[name].plural in prune}
    _run(module, kinds, {_objects.PLURALS[plural].name: None for plural in prune})


def _run(module: AnsibleModule, wanted: Mapping[str, list[Any]], absent: Mapping[str, Iterable[str] | None]) -> None:
    """Make what is ``wanted``, by kind, and delete what is to be ``absent``: names, or None for all that is not
    wanted."""
    given = module.params
    _hide(module, wanted)
    problems = [
        str(fault)
        for name, entries in wanted.items()
        for fault in _objects.check(_objects.KINDS[name], entries, _objects.KINDS[name].plural)
    ]
    if problems:
        _fail(module, "\n".join(problems))
    client = Client(ca_path=given["ca_path"] or "", validate=given["validate_certs"])
    deadline = Deadline(given["timeout"])
    api = Api(given["url"], 0, given["api_username"] or "", given["api_password"] or "", deadline, client=client)
    try:
        api.login(given["api_token"] or "")
        store = Store(api, _metastore(module))
        changes = _changes(store, wanted, absent, write_unknown=given["update_secrets"] == "always")
        if not module.check_mode:
            store.write(changes)
    except RefusedError as error:
        _fail(module, str(error))
    except ApiError as error:
        if module.check_mode and not given.get("must_answer", True):
            module.exit_json(changed=False, changes=[], msg=f"Not compared: {error}", invocation=_invocation(module))
        expected = "an Airflow that answers, and a login of it"
        _fail(module, f"FD269 {given['url']}: found {error}; expected {expected}. Check the URL, the CA and the login.")
    module.exit_json(
        changed=bool(changes),
        changes=[{"kind": change.kind.name, "name": change.name, "action": change.action} for change in changes],
        diff=_objects.diff(changes),
        invocation=_invocation(module),
    )


def _hide(module: AnsibleModule, wanted: Mapping[str, list[Any]]) -> None:
    """Let Ansible hide the secrets in whatever it prints.

    By the specs it would hide every text that stands in a declaration, such as the name of a pool, and every 1 in a
    result where a variable is 1.
    """
    found = {module.params[name] for name, option in ACCESS.items() if option.get("no_log")}
    for name, entries in wanted.items():
        fields = _objects.KINDS[name].fields
        for entry in entries:
            if isinstance(entry, Mapping):
                found |= {leaf for key in entry if key in fields and fields[key].secret for leaf in _texts(entry[key])}
    # A shorter one is easily guessed, and part of other words.
    module.no_log_values = {text for text in found if text and len(text) > 5}


def _texts(value: Any) -> set[str]:
    return {leaf for leaf in _objects.leaves(value) if isinstance(leaf, str)}


def _invocation(module: AnsibleModule) -> dict[str, Any]:
    """What -vvv shows: the arguments that say how Airflow is reached."""
    shown = {name: module.params[name] for name, option in ACCESS.items() if not option.get("no_log")}
    return {"module_args": shown}


def _fail(module: AnsibleModule, message: str) -> None:
    module.fail_json(msg=message, invocation=_invocation(module))


def _metastore(module: AnsibleModule) -> Any:
    """What the metastore says, where it may be asked. Raises ApiError."""
    url = module.params["metastore_url"]
    if not url:
        return None
    try:
        return metastore(url, module.params["fernet_key"] or "")
    except Exception as error:
        raise ApiError(f"no answer of the metadata database ({_redaction.reason(error, url)})") from None


def _changes(
    store: Store,
    wanted: Mapping[str, list[Any]],
    absent: Mapping[str, Iterable[str] | None],
    *,
    write_unknown: bool,
) -> list[_objects.Change]:
    """What has to change. Raises RefusedError with all that is wrong with users' roles and roles' permissions."""
    declared = {
        name: {
            str(entry[_objects.KINDS[name].key]): _objects.declared(_objects.KINDS[name], entry) for entry in entries
        }
        for name, entries in wanted.items()
    }
    found = {name: store.read(_objects.KINDS[name], entries) for name, entries in declared.items()}
    if declared.get("user") and "role" not in found:
        found["role"] = store.read(_objects.KINDS["role"], ())
    gone = {name: _gone(store, name, found[name], declared[name], names) for name, names in absent.items()}
    left = (found.get("role", {}).keys() | declared.get("role", {}).keys()) - set(gone.get("role", ()))
    problems = [
        *_unknown_roles(declared.get("user", {}), left),
        *_unknown_permissions(store, declared.get("role", {}), found.get("role", {})),
    ]
    if problems:
        raise RefusedError("\n".join(problems))
    passwords = {}
    for entry in wanted.get("user", ()):
        name, password = str(entry["username"]), entry.get("password")
        if name not in found["user"]:
            # Airflow wants one; this one is known to no user, and who logs in by LDAP or OpenID Connect needs none.
            passwords[name] = str(password or secrets.token_urlsafe(32))
        elif password and not store.knows(name, str(password)):
            passwords[name] = str(password)
    return [
        change
        for name, entries in declared.items()
        for change in _objects.plan(
            _objects.KINDS[name],
            entries,
            found[name],
            gone.get(name, ()),
            write_unknown=write_unknown,
            passwords=passwords if name == "user" else None,
        )
    ]


def _gone(
    store: Store, name: str, found: Mapping[str, Any], declared: Mapping[str, Any], names: Iterable[str] | None
) -> list[str]:
    """The names of the objects to delete: ``names``, or all that are not declared but what Airflow needs."""
    if names is not None:
        return list(names)
    kept = {"role": _objects.BUILT_IN_ROLES, "user": {store.api.user}, "pool": {_objects.DEFAULT_POOL}}
    return sorted(found.keys() - declared.keys() - kept.get(name, set()))


def _unknown_roles(users: Mapping[str, Mapping[str, Any]], roles: Iterable[str]) -> Iterable[str]:
    known = sorted(roles)
    for name, user in users.items():
        for role in user["roles"]:
            if role not in known:
                close = difflib.get_close_matches(role, known, n=1)
                remedy = f"Did you mean {close[0]}?" if close else "Declare it in airflow_roles, or make it in the UI."
                yield (
                    f"FD265 user {name}: found the role {role}, which does not exist; expected one of "
                    f"{', '.join(known)}. {remedy}"
                )


def _unknown_permissions(
    store: Store, roles: Mapping[str, Mapping[str, Any]], found: Mapping[str, Mapping[str, Any]]
) -> Iterable[str]:
    """Permissions that a role gets, and that this Airflow does not know."""
    new = {
        name: _objects.pairs(role["permissions"]) - _objects.pairs(found.get(name, {}).get("permissions", {}))
        for name, role in roles.items()
    }
    if not any(new.values()):
        return
    actions, resources = store.grantable(found.values())
    for name, pairs in new.items():
        for action, resource in sorted(pairs):
            for kind, word, known in (("action", action, actions), ("resource", resource, resources)):
                if word not in known:
                    close = difflib.get_close_matches(word, known, n=1)
                    remedy = f"Did you mean {close[0]}?" if close else "The UI lists them at Security, Permissions."
                    yield (
                        f"FD266 role {name}: found the {kind} {word}, which does not exist; expected one that this "
                        f"Airflow has. {remedy}"
                    )
