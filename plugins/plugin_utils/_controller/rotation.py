# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotation of the secrets: new values, the next of two users, the three steps of a Fernet key, the two of the tokens'
key.

Pure functions over the content of the secrets file: ``values`` by name, and ``rotation``, the state that outlives a
run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import PAIRED
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.secrets import make

State = tuple[dict[str, str], dict[str, Any]]


def begin(values: Mapping[str, str], rotation: Mapping[str, Any], names: Iterable[str]) -> State:
    """New values for ``names``; a rotation of the Fernet key that has begun goes on with the key that it has."""
    new, state = dict(values), dict(rotation)
    for name in names:
        if name == "fernet_key":
            if not state.get("next_fernet_key") and "," not in new[name]:
                state["next_fernet_key"] = make(name)
            continue
        new[name] = make(name)
        if name in PAIRED:
            state["alternate_users"] = sorted(set(state.get("alternate_users", ())) ^ {name})
        if name == "jwt_secret":
            state["new_jwt_secret"] = True
    return new, {key: value for key, value in state.items() if value}


def use_fernet_key(values: Mapping[str, str], rotation: Mapping[str, Any]) -> State:
    """The next key, which everybody knows now, encrypts; the old one still decrypts."""
    new, state = dict(values), dict(rotation)
    if key := state.pop("next_fernet_key", ""):
        new["fernet_key"] = f"{key},{new['fernet_key']}"
    return new, state


def drop_fernet_key(values: Mapping[str, str], rotation: Mapping[str, Any]) -> State:
    """Only the key that encrypts is left: nothing is encrypted with the others any more."""
    return {**values, "fernet_key": values["fernet_key"].split(",", maxsplit=1)[0]}, dict(rotation)


def finish_jwt_secret(values: Mapping[str, str], rotation: Mapping[str, Any]) -> State:
    """Every webserver accepts tokens of the new key, so schedulers may hand them out."""
    return dict(values), {key: value for key, value in rotation.items() if key != "new_jwt_secret"}


def rotating(values: Mapping[str, str], rotation: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Which of the secrets that take more than a deployment are being rotated. ``values`` are those before the step."""
    unfinished = rotation.get("next_fernet_key") or "," in values.get("fernet_key", "")
    found = {
        name for name, begun in (("fernet_key", unfinished), ("jwt_secret", rotation.get("new_jwt_secret"))) if begun
    }
    return sorted(found | ({"fernet_key", "jwt_secret", *PAIRED} & set(names)))
