# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a webserver_config.py. Runs as a program of its own, with the packages of the release.

Prints one line that begins with ``MARK``: an object with ``problems`` and ``warnings``. No text has a value of the
file.
"""

from __future__ import annotations

import difflib
import json
import re
import runpy
import socket
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

MARK = "flightdeck-login "
FILE = "webserver_config.py"
# Of names that mean nothing else in this file.
_OURS = re.compile(r"\b(?:AUTH|OAUTH|FAB)_[A-Z_]+\b")
_BASE = "FabAirflowSecurityManagerOverride"
# What these say has no value of the file in it.
_PLAIN_ERRORS = (SyntaxError, NameError, ImportError, AttributeError, FileNotFoundError)
_DEBIAN = "/usr/lib/python3/dist-packages"
# Seconds to wait for a server.
SECONDS = 10


def problem(found: str, expected: str, remedy: str, code: str = "FD315") -> str:
    """One problem as text."""
    return f"{code} {FILE}: found {found}; expected {expected}. {remedy}"


def known_names(folders: Iterable[str]) -> frozenset[str]:
    """The names of settings that the packages in ``folders`` know."""
    places = ("flask_appbuilder", "airflow/providers/fab")
    sources = (path for folder in folders for place in places for path in Path(folder, place).rglob("*.py"))
    return frozenset(name for path in sources for name in _OURS.findall(path.read_text("utf-8", "replace")))


def load(path: Path) -> tuple[dict[str, Any], list[str]]:
    """What the file at ``path`` sets, as Flask reads it, or the problem of running it."""
    try:
        found = runpy.run_path(str(path), run_name="config")
    except BaseException as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else 0
        said = f": {str(error).replace(str(path.parent), '...')}" if isinstance(error, _PLAIN_ERRORS) else ""
        return {}, [
            problem(
                f"{type(error).__name__} in line {line}{said}", "a file that runs", "Correct it; nothing was restarted."
            )
        ]
    return {name: value for name, value in found.items() if name.isupper()}, []


def check(settings: Mapping[str, Any], known: Collection[str], kinds: Mapping[str, int]) -> list[str]:
    """Problems of the ``settings``. ``known`` are the names that mean something, ``kinds`` the values of AUTH_TYPE."""
    problems = []
    for name in sorted(name for name in settings if _OURS.fullmatch(name) and name not in known):
        close = difflib.get_close_matches(name, known, n=1)
        remedy = f"Did you mean {close[0]}?" if close else "Leave it out: it would be without effect."
        problems.append(problem(f"the name {name}", "a name that Airflow's FAB auth manager knows", remedy))
    kind = settings.get("AUTH_TYPE", kinds["AUTH_DB"])
    if kind not in kinds.values():
        names = ", ".join(kinds)
        remedy = "Import it from flask_appbuilder.const."
        problems.append(problem("another AUTH_TYPE", f"one of {names}", remedy))
    problems += _check_mapping(settings.get("AUTH_ROLES_MAPPING", {}))
    if kind == kinds.get("AUTH_LDAP"):
        problems += _check_import("ldap", "Set airflow_login: ldap.")
        problems += [] if settings.get("AUTH_LDAP_SERVER") else [_missing("AUTH_LDAP_SERVER", "its URL")]
    if kind == kinds.get("AUTH_OAUTH"):
        problems += _check_import("authlib", "Add authlib to airflow_extra_packages.")
        problems += _check_providers(settings.get("OAUTH_PROVIDERS"))
    manager = settings.get("SECURITY_MANAGER_CLASS")
    if manager is not None and _BASE not in {each.__name__ for each in getattr(manager, "__mro__", ())}:
        remedy = "Import it from airflow.providers.fab.auth_manager.security_manager.override."
        problems.append(problem("another SECURITY_MANAGER_CLASS", f"a class that extends {_BASE}", remedy))
    return problems


def _missing(name: str, what: str) -> str:
    return problem(f"no {name}", what, "Add it.")


def _check_import(package: str, remedy: str) -> list[str]:
    try:
        __import__(package)
    except ImportError as error:
        return [problem(f"that {package} cannot be imported ({error})", "the package in the release", remedy)]
    return []


def _check_mapping(mapping: object) -> list[str]:
    if isinstance(mapping, dict) and all(
        isinstance(roles, (list, tuple, set)) and all(isinstance(role, str) for role in roles)
        for roles in mapping.values()
    ):
        return []
    expected = '{"group": ["Role"]}'
    return [problem("another AUTH_ROLES_MAPPING", f"lists of roles, as in {expected}", "Correct it.")]


def _check_providers(providers: object) -> list[str]:
    if not isinstance(providers, (list, tuple)) or not providers:
        return [_missing("OAUTH_PROVIDERS", "a list of providers")]
    for provider in providers:
        app = provider.get("remote_app") if isinstance(provider, dict) else None
        if not app or not provider.get("name") or not isinstance(app, dict) or not app.get("client_id"):
            return [problem("a provider in OAUTH_PROVIDERS without them", "name and remote_app with client_id", "Add.")]
    return []


def ask(settings: Mapping[str, Any], kinds: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """Problems and warnings of the servers that the ``settings`` name."""
    kind = settings.get("AUTH_TYPE")
    if kind == kinds.get("AUTH_LDAP"):
        return _asked(_ask_directory, [(server, settings) for server in str(settings["AUTH_LDAP_SERVER"]).split()])
    if kind == kinds.get("AUTH_OAUTH"):
        apps = [provider["remote_app"] for provider in settings["OAUTH_PROVIDERS"]]
        return _asked(_ask_provider, [(str(url), app) for app in apps if (url := app.get("server_metadata_url"))])
    return [], []


def _asked(question: Callable[[str, Any], str], servers: Iterable[tuple[str, Any]]) -> tuple[list[str], list[str]]:
    """What ``question`` says is wrong with each of the ``servers`` that answer, and a warning for each other one."""
    problems, warnings = [], []
    for url, how in servers:
        parts = urlsplit(url)
        port = parts.port or {"ldap": 389, "ldaps": 636, "http": 80, "https": 443}.get(parts.scheme, 0)
        try:
            if parts.hostname and port:
                socket.create_connection((parts.hostname, port), timeout=SECONDS).close()
        except OSError as error:
            where = f"{parts.scheme}://{parts.netloc}"
            warnings.append(f"FD317 {FILE}: {where} does not answer ({error}), so that no user can log in")
            continue
        if fault := question(url, how):
            expected = "one that lets Airflow log people in"
            where = f"{parts.scheme}://{parts.netloc}, which {fault}"
            problems.append(problem(where, expected, "Nothing was restarted.", "FD316"))
    return problems, warnings


def _ask_directory(url: str, settings: Mapping[str, Any]) -> str:
    """What is wrong with the directory at ``url``, in words; empty for nothing. As the auth manager asks it."""
    import ldap

    name = settings.get("AUTH_LDAP_UID_FIELD", "uid")
    try:
        if settings.get("AUTH_LDAP_TLS_CACERTFILE"):
            ldap.set_option(ldap.OPT_X_TLS_CACERTFILE, settings["AUTH_LDAP_TLS_CACERTFILE"])
        if settings.get("AUTH_LDAP_ALLOW_SELF_SIGNED"):
            ldap.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_ALLOW)
        elif settings.get("AUTH_LDAP_TLS_DEMAND"):
            ldap.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
        ldap.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        connection = ldap.initialize(url)
        connection.set_option(ldap.OPT_REFERRALS, 0)
        connection.set_option(ldap.OPT_NETWORK_TIMEOUT, SECONDS)
        connection.set_option(ldap.OPT_TIMEOUT, SECONDS)
        if settings.get("AUTH_LDAP_USE_TLS"):
            connection.start_tls_s()
        if not settings.get("AUTH_LDAP_BIND_USER"):
            # The user who logs in asks; what it answers without a login does not matter.
            connection.whoami_s()
            return ""
        connection.simple_bind_s(settings["AUTH_LDAP_BIND_USER"], settings.get("AUTH_LDAP_BIND_PASSWORD", ""))
        query = f"(&{settings.get('AUTH_LDAP_SEARCH_FILTER', '')}({name}=*))"
        if not connection.search_ext_s(
            settings.get("AUTH_LDAP_SEARCH", ""), ldap.SCOPE_SUBTREE, query, ["1.1"], sizelimit=1
        ):
            return f"shows no account with the attribute {name} below the search base to the bind account"
    except (ldap.SERVER_DOWN, ldap.CONNECT_ERROR) as error:
        return f"lets no connection with TLS come about ({_said(error)}), perhaps because its CA is another"
    except ldap.INVALID_CREDENTIALS:
        return "refuses the bind account or its password"
    except ldap.NO_SUCH_OBJECT:
        return "does not know the search base"
    except ldap.FILTER_ERROR:
        return "cannot be searched with the filter, which is malformed"
    except ldap.SIZELIMIT_EXCEEDED:
        return ""
    except ldap.LDAPError as error:
        return f"says {_said(error)}" if settings.get("AUTH_LDAP_BIND_USER") else ""
    return ""


def _said(error: Exception) -> str:
    found = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    return ", ".join(str(found[key]) for key in ("desc", "info") if key in found) or type(error).__name__


def _ask_provider(url: str, app: Mapping[str, Any]) -> str:
    """What is wrong with the OpenID provider whose metadata are at ``url``, in words; empty for nothing."""
    import requests

    try:
        # As Authlib does, so that REQUESTS_CA_BUNDLE of the environment counts more here, too.
        session = requests.Session()
        session.verify = app.get("client_kwargs", {}).get("verify", True)
        answer = session.get(url, timeout=SECONDS)
        metadata = answer.json() if answer.ok else {}
    except requests.exceptions.SSLError as error:
        return f"lets no connection with TLS come about ({error}), perhaps because its CA is another"
    except requests.exceptions.JSONDecodeError:
        return "has no metadata of OpenID there"
    except requests.exceptions.RequestException as error:
        return f"gives no answer ({type(error).__name__})"
    if not answer.ok:
        return f"answers with status {answer.status_code}"
    needed = ("authorization_endpoint", "token_endpoint", "jwks_uri", "issuer")
    lacking = [name for name in needed if not isinstance(metadata, dict) or not metadata.get(name)]
    return f"has metadata without {', '.join(lacking)}" if lacking else ""


def main() -> None:
    """Check the file in the directory that the command line names."""
    import flask_appbuilder.const

    # The client for LDAP is linked into Airflow's path when the file is in place.
    sys.path.append(_DEBIAN)
    kinds = {
        name: value
        for name, value in vars(flask_appbuilder.const).items()
        if re.fullmatch(r"AUTH_[A-Z_]+", name) and isinstance(value, int)
    }
    settings, problems = load(Path(sys.argv[1], FILE))
    warnings: list[str] = []
    problems = problems or check(settings, known_names(sys.path), kinds)
    if not problems:
        problems, warnings = ask(settings, kinds)
    sys.stdout.write(f"\n{MARK}{json.dumps({'problems': problems, 'warnings': warnings})}\n")
