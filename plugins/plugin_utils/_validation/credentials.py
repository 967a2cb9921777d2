# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a secret in clear is recognised: by its name, or by its form. Nothing here repeats one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Names under which a secret stands. The last part decides: DB_PASSWORD_FILE and AWS_ACCESS_KEY_ID hold none.
_NAME = re.compile(
    r"((^|[_-])(pass|pwd)|password|passwd|passphrase|secret(_?(id|key))?|(access|api|private|encryption|signing)_?key"
    r"|token|credentials?)$",
    re.IGNORECASE,
)
# Elsewhere a name that ends so may be that of a key of a table or map; in the environment it is rather a secret.
_KEY = re.compile(r"(^|_)key$", re.IGNORECASE)
# scheme://account:password@host
_LOGIN = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
# password=..., as in a DSN or the query of a URL, or "password": "..." in JSON.
_ASSIGNED = re.compile(
    r"""(?<![\w-])["']?(pass(word|wd|phrase)?|pwd|(client_?)?secret|secret_?key|access_?token|auth_?token|token|api_?key|private_?key)"""
    r"""["']?\s*[=:]\s*["']?[^\s"'&;,}]""",
    re.IGNORECASE,
)
# Beginnings of well-known tokens: GitHub, GitLab, Slack, Stripe, Vault, AWS, JWT, a private key.
_TOKEN = re.compile(
    r"(?<![\w-])(gh[opsur]_\w{20}|github_pat_\w{20}|glpat-[\w-]{20}|xox[abpr]-[\w-]{10}|[sr]k_live_\w{10}|hvs\.[\w-]{20}"
    r"|eyJ[\w-]{10,}\.eyJ)|-----BEGIN [A-Z ]*PRIVATE KEY"
)


def is_secret_name(name: str) -> bool:
    """Whether a secret is expected under ``name``."""
    return bool(_NAME.search(name))


def is_secret_text(text: str) -> bool:
    """Whether ``text`` is or holds a login with a password, a password by its name, or a well-known kind of token."""
    return bool(_LOGIN.search(text) or _TOKEN.search(text))


def holds_secret(value: Any) -> bool:
    """Whether there is a secret in ``value``, by its form or by the key of a dictionary."""
    if isinstance(value, Mapping):
        return any(
            (is_secret_name(str(key)) and _is_text(entry)) or holds_secret(entry) for key, entry in value.items()
        )
    if isinstance(value, (list, tuple)):
        return any(holds_secret(entry) for entry in value)
    return isinstance(value, str) and is_secret_text(value)


def _is_text(value: Any) -> bool:
    return bool(value) and isinstance(value, (str, int)) and not isinstance(value, bool)


def is_secret_variable(name: str, text: str) -> bool:
    """Whether the variable ``name`` of the environment with the value ``text`` is a secret."""
    if not text:
        return False
    if is_secret_text(text) or _ASSIGNED.search(text):
        return True
    # A path, a number or a switch is none, whatever the name says.
    if re.fullmatch(r"/\S*|~/\S*|\d{1,8}|true|false|yes|no|on|off", text, re.IGNORECASE):
        return False
    return is_secret_name(name) or bool(_KEY.search(name))
