# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the secrets that the inventory gives. No message holds a value or a part of one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import (
    BY_NAME,
    GENERATED,
    GIVEN,
    PUBLIC,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem

# Words that default and example passwords are made of.
_WORDS = (
    "airflow|admin|administrator|guest|user|root|test|demo|example|default|password|passwort|passwd|pass|secret|changeme|"
    "change|me|please|postgres|postgresql|rabbitmq|rabbit|haproxy|stats|qwerty|letmein|welcome|rep|replicator|todo|xxx"
)
_WEAK = re.compile(rf"(?:(?:{_WORDS})|[\W\d_])+")
_KNOWN = re.compile(_WORDS)
_CONTROL = re.compile(r"[\0-\x1f\x7f]")
# How sops writes a value.
_SOPS = "ENC[AES256_GCM,"
_FERNET = re.compile(r"[A-Za-z0-9_-]{43}=")
# A line of YAML or INI that sets one of the secrets, with what it is set to.
_SECRETS = {*GENERATED, *GIVEN, "kerberos_keytab"} - PUBLIC
_GIVEN = re.compile(rf"(?<![\w.-])[\"']?airflow_({'|'.join(sorted(_SECRETS))})[\"']?\s*[:=]\s*(?P<value>.*)")


def check_secrets(given: Mapping[str, str], accounts: Mapping[str, str]) -> list[Problem]:
    """Problems of the secrets in ``given`` (names without ``airflow_``).

    ``accounts`` are those that the user names, by secret.
    """
    problems: list[Problem] = []
    for name, value in given.items():
        problems += _check_secret(name, value, accounts.get(name, BY_NAME[name].account))
    holders: dict[str, str] = {}
    for name in sorted(given):
        other = holders.setdefault(given[name], name)
        if other != name:
            problems.append(
                _problem(
                    Code.FD145,
                    name,
                    f"the value of airflow_{other}",
                    "a value of its own",
                    "One that leaks must not open the other's door.",
                )
            )
    return problems


def _problem(code: Code, name: str, found: str, expected: str, remedy: str) -> Problem:
    return Problem(code, f"airflow_{name}", found, expected, remedy)


def _check_secret(name: str, value: str, account: str) -> list[Problem]:
    if value.startswith(_SOPS):
        remedy = "Add community.sops.sops to vars_plugins_enabled in ansible.cfg, and end the file's name in .sops.yml."
        return [_problem(Code.FD374, name, "text that sops encrypted", "what it was", remedy)]
    if _CONTROL.search(value):
        return [
            _problem(
                Code.FD143,
                name,
                "a line break or another control character",
                "printable characters",
                "Choose another value.",
            )
        ]
    if name == "fernet_key":
        return _check_fernet(value)
    if name == "rabbitmq_cookie":
        try:
            cookie(value)
        except ValueError as error:
            return [_problem(Code.FD142, name, "a value that cannot be used", "an Erlang cookie", f"{error}.")]
        return []
    if unfit := [each for each in BY_NAME[name].without if each in value]:
        found = " and ".join(map(repr, unfit))
        return [
            _problem(Code.FD143, name, found, "a value without it", "Choose another, or leave it out: one is made.")
        ]
    shortest, longest = BY_NAME[name].length
    if account and value.lower() == account.lower():
        return [
            _problem(
                Code.FD146,
                name,
                "the name of its account",
                "a password",
                "Choose a random one, or leave it out: one is made.",
            )
        ]
    remedy = "Choose another, or leave it out: one is made."
    weak = _WEAK.fullmatch(value.lower())
    if weak and _KNOWN.search(value.lower()):
        return [_problem(Code.FD146, name, "a known value", "a random one", remedy)]
    # The bound below is for people, who count characters; the one above is the programs', which count bytes.
    if len(value) < shortest:
        return [
            _problem(Code.FD144, name, f"fewer than {shortest} characters", f"at least {shortest} characters", remedy)
        ]
    if len(value.encode()) > longest:
        return [_problem(Code.FD144, name, f"more than {longest} bytes", f"at most {longest} bytes", remedy)]
    if weak or len(set(value)) < 5:
        return [_problem(Code.FD146, name, "a simple value", "a random one", remedy)]
    return []


def _check_fernet(value: str) -> list[Problem]:
    """``value`` is one key or several with commas between them, the one that encrypts first."""
    keys = value.split(",")
    wrong = [str(number) for number, key in enumerate(keys, start=1) if not _FERNET.fullmatch(key)]
    if not wrong:
        return []
    which = (
        "a value that is no Fernet key"
        if len(keys) == 1
        else f"no Fernet key in place {' and '.join(wrong)} of {len(keys)}"
    )
    remedy = (
        "Make one with: openssl rand -base64 32 | tr '+/' '-_'. Several stand with commas and no spaces between them."
    )
    return [_problem(Code.FD141, "fernet_key", which, "32 bytes as 44 characters of URL-safe base64", remedy)]


def plain_secrets(text: str) -> list[str]:
    """Names of the variables of secrets that stand in clear in the ``text`` of an inventory file.

    A value under ``!vault`` or encrypted by sops, a template (a lookup, another variable) and an empty one are none;
    neither is an encrypted file.
    """
    if text.startswith("$ANSIBLE_VAULT;"):
        return []
    found = set()
    # The value of a block begins on its next line.
    for line in re.sub(r"(:[ \t]*)[>|][-+\d]*[ \t]*\n[ \t]+", r"\1", text).splitlines():
        if line.lstrip().startswith("#"):
            continue
        for match in _GIVEN.finditer(line):
            value = re.sub(r"(^|\s)#.*", "", match["value"]).strip().strip("\"'")
            # Of a URL only the password is secret.
            value = re.sub(r"^\w+://[^:@/]*:(?=\{\{)", "", value)
            if value and not value.startswith(("!vault", "{{", _SOPS)) and value not in ("null", "~"):
                found.add(f"airflow_{match[1]}")
    return sorted(found)


def plain_warning(places: Mapping[str, Iterable[str]]) -> str | None:
    """The warning about secrets in clear; None without any. ``places`` maps files to names of variables."""
    shown = [f"{', '.join(names)} in {path}" for path, names in places.items() if names]
    if not shown:
        return None
    remedy = "Encrypt them with ansible-vault, or leave them out: then they are made and stored."
    return f"{Code.FD149} secrets in clear: {'; '.join(shown)}. {remedy}"


def cookie(value: str) -> str:
    """``value`` as an Erlang cookie.

    Raises ValueError for what Erlang refuses, and for what Debian's package would replace.
    """
    if not re.fullmatch(r"[!-~]{20,255}", value):
        raise ValueError("rabbitmq_cookie must be 20 to 255 printable ASCII characters without spaces")
    if re.fullmatch(r"[A-Z]{20}", value):
        raise ValueError(
            "rabbitmq_cookie of exactly 20 capitals would be replaced by the Debian package; choose another"
        )
    return value
