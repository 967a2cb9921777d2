# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hides secrets in texts: all that the controller knows, in every spelling, and what has the form of a secret."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import PUBLIC
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import of_login
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.credentials import (
    is_secret_name,
    is_secret_text,
)

# Shorter ones would hide parts of other words; the collection makes none, and refuses most of them.
_SHORTEST = 4
# A line of a key, not the words around it.
_SHORTEST_LINE = 16
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_LOGIN = re.compile(r"(://[^/\s:@]*:)[^/\s@]+(@)")
_ASSIGNED = re.compile(
    r"""((?<![\w-])["']?[\w-]*(?:pass(?:word|wd|phrase)|secret|token|api_?key|private_?key)["']?"""
    r"""[ \t]*[=:][ \t]*["']?)([^\s"'&;,}<]{4,})""",
    re.IGNORECASE,
)
# In these variables of the user's, every value is a secret.
_ALL = frozenset({"airflow_secret_environment", "airflow_secret_files"})
HIDDEN = "<hidden: {}>"


class Mask:
    """Hides ``values``, secrets by their names."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._names: dict[str, str] = {}
        for name, value in values.items():
            for spelling in spellings(value):
                self._names.setdefault(spelling, name)
        # The longest first: a secret may be a part of another one.
        ordered = sorted(self._names, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def hide(self, text: str) -> str:
        """``text`` without secrets."""
        if self._known:
            text = self._known.sub(lambda found: HIDDEN.format(self._names[found[0]]), text)
        text = _KEY_BLOCK.sub(HIDDEN.format("a private key"), text)
        text = _LOGIN.sub(rf"\1{HIDDEN.format('a password')}\2", text)
        return _ASSIGNED.sub(rf"\1{HIDDEN.format('by its name')}", text)


def spellings(value: str) -> Iterator[str]:
    """How the secret ``value`` may stand in a file, a log or a URL; of several lines each for itself."""
    lines = [line.strip() for line in value.splitlines()]
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _SHORTEST_LINE and not line.startswith("-----"))
        return
    if len(value) < _SHORTEST:
        return
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    yield from {
        value,
        escaped,
        value.replace("'", "''"),
        value.replace("'", "'\\''"),
        value.replace('"', '""'),
        value.replace("%", "%%"),
        escaped.replace("%", "%%"),
        escaped.replace("$", "$$"),
        quote(value, safe=""),
        quote(value),
        quote(value, safe="").replace("%", "%%"),
        quote_plus(value),
        repr(value)[1:-1],
        json.dumps(value)[1:-1],
        base64.b64encode(value.encode()).decode(),
    }
    if "://" in value:
        try:
            password = urlsplit(value).password
        except ValueError:
            return
        if password:
            yield from spellings(password)
            yield from spellings(unquote(password))


def of_cluster(
    cluster: Mapping[str, Any], secrets: Mapping[str, Any], certificates: Mapping[str, Any]
) -> dict[str, str]:
    """The secrets of the cluster itself by name, passwords that are derived from them, and the keys of
    ``certificates``."""
    found = {name: value for name, value in secrets.items() if isinstance(value, str) and value and name not in PUBLIC}
    # In the course of a rotation there are two.
    found |= {f"fernet_key {number}": key for number, key in enumerate(found.get("fernet_key", "").split(",")) if key}
    for entry in _mappings(cluster):
        if entry.get("derived") is True and entry.get("secret") in found:
            user = str(entry["user"])
            found[f"password of {user}"] = of_login(found[str(entry["secret"])], user)
    keys = [(name, value) for name, value in _leaves("certificate", certificates) if "PRIVATE KEY" in value]
    return {**found, **dict(keys)}


def of_inventory(variables: Mapping[str, Any], specs: Mapping[str, Any]) -> dict[str, str]:
    """Secrets among ``variables``, the user's of a host; ``specs`` say which variables hold any."""
    found: dict[str, str] = {}
    for name, spec in specs.items():
        if not spec.get("no_log") or name not in variables:
            continue
        for place, value in _leaves(name, variables[name]):
            if place == name or name in _ALL or is_secret_name(place.rpartition(".")[2]) or is_secret_text(value):
                found[place] = value
    return found


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
    entries = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    for entry in entries:
        yield from _mappings(entry)


def _leaves(place: str, value: Any) -> Iterator[tuple[str, str]]:
    """Texts in ``value`` with their places."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _leaves(f"{place}.{key}", entry)
    elif isinstance(value, (list, tuple)):
        for number, entry in enumerate(value):
            yield from _leaves(f"{place}.{number}", entry)
    elif isinstance(value, str) and value:
        yield place, value
