# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of how people log in."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.login import (
    MANAGERS,
    METADATA,
    manager,
    manager_config,
    roles_of,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.options import GivenOption
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.values import is_certificate, url_problem
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.words import closest, kind_of

# The roles that Airflow has from the start. Others are the user's.
_ROLES = ("Admin", "Op", "User", "Viewer", "Public")
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9;.-]*")
_PROVIDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
# A scope is a word; one with other characters would end in the URL as several.
_SCOPE = re.compile(r"[!#-\[\]-~]+")


def check(settings: Settings) -> list[Problem]:
    """Problems of the variables of logins with each other."""
    problems = [*_check_manager(settings), *_check_unused(settings), *_check_roles(settings)]
    if settings.login_ca and not is_certificate(settings.login_ca):
        remedy = "Give the text itself, for example by lookup('ansible.builtin.file', path)."
        problems.append(Problem(Code.FD311, "airflow_login_ca", "no certificate", "certificates as PEM text", remedy))
    # A file of the user's has what it needs in it.
    if not settings.webserver_config_file:
        problems += _check_ldap(settings) if settings.login == "ldap" else []
        problems += _check_openid(settings) if settings.login == "openid" else []
    return problems


def given(settings: Settings) -> list[GivenOption]:
    """The option that follows from ``airflow_auth_manager``, for the check of the package that it needs."""
    if manager(settings) != "other":
        return []
    return [
        GivenOption("airflow_auth_manager", "core", "auth_manager", manager_config(settings)["core"]["auth_manager"])
    ]


def _check_manager(settings: Settings) -> Iterator[Problem]:
    name, kind = settings.auth_manager, manager(settings)
    where = "airflow_auth_manager"
    if kind == "other" and not _CLASS.fullmatch(name):
        close = closest(name, MANAGERS)
        remedy = f"Did you mean {close}?" if close else "See docs/login.md."
        yield Problem(Code.FD319, where, repr(name), f"{', '.join(MANAGERS)}, or the path of a class", remedy)
    if kind == "simple" and not settings.allow_simple_auth_manager:
        remedy = "Leave it out, or set airflow_allow_simple_auth_manager: true for a lab that others do not reach."
        found = "simple, which has one password in plain text and no limit of guesses"
        yield Problem(Code.FD318, where, found, "an auth manager for production", remedy)
    if kind == "fab":
        return
    if settings.version.startswith("2."):
        yield Problem(Code.FD319, where, f"{name} and Airflow {settings.version}", "fab", "Deploy Airflow 3.")
    if settings.login != "database" or settings.webserver_config_file:
        other = "airflow_webserver_config_file" if settings.webserver_config_file else "airflow_login"
        remedy = f"Leave {other} out, or set airflow_auth_manager: fab."
        yield Problem(Code.FD319, other, f"a value, and airflow_auth_manager is {name}", "what FAB alone reads", remedy)


def _lacking(names: Mapping[str, object], login: str) -> list[Problem]:
    found = f"nothing, and airflow_login is {login}"
    remedy = "See docs/login.md."
    return [Problem(Code.FD310, name, found, "a value", remedy) for name, value in names.items() if not value]


def _malformed(name: str, found: str, expected: str) -> Problem:
    return Problem(Code.FD311, name, found, expected, "See docs/login.md.")


def _check_unused(settings: Settings) -> list[Problem]:
    """What is set and not read."""
    preset = settings.login if not settings.webserver_config_file else "a file"
    given = {
        "ldap": {
            "airflow_ldap_uri": settings.ldap_uri,
            "airflow_ldap_bind_dn": settings.ldap_bind_dn,
            "airflow_ldap_search_base": settings.ldap_search_base,
            "airflow_ldap_search_filter": settings.ldap_search_filter,
            "airflow_ldap_username_format": settings.ldap_username_format,
        },
        "openid": {
            "airflow_openid_issuer": settings.openid_issuer,
            "airflow_openid_client_id": settings.openid_client_id,
        },
    }
    unused = [name for kind, names in given.items() if kind != preset for name, value in names.items() if value]
    if preset not in ("ldap", "openid"):
        unused += ["airflow_login_roles"] if settings.login_roles else []
    # A file of the user's may read these.
    if preset != "a file":
        secrets = {
            "airflow_ldap_bind_password": bool(settings.ldap_bind_password) and preset != "ldap",
            "airflow_openid_client_secret": bool(settings.openid_client_secret) and preset != "openid",
            "airflow_login_ca": bool(settings.login_ca) and preset == "database",
        }
        unused += [name for name, is_unused in secrets.items() if is_unused]
    why = "airflow_webserver_config_file is set" if preset == "a file" else f"airflow_login is {settings.login}"
    remedy = "Remove it, or correct airflow_login."
    return [Problem(Code.FD312, name, f"a value, and {why}", "nothing", remedy) for name in unused]


def _check_roles(settings: Settings) -> Iterator[Problem]:
    roles = [(f"airflow_login_roles[{group!r}]", value) for group, value in settings.login_roles.items()]
    for where, value in [*roles, ("airflow_login_default_role", settings.login_default_role)]:
        names = roles_of(value)
        if isinstance(value, Mapping) or value is None or not all(name and isinstance(name, str) for name in names):
            yield _malformed(where, kind_of(value), "a role, or a list of roles")
            continue
        for name in names:
            meant = next((role for role in _ROLES if role.lower() == name.strip().lower() and role != name), "")
            if meant:
                remedy = f"Did you mean {meant}? Airflow would give no role."
                yield Problem(Code.FD313, where, repr(name), "the name of a role, in its letters", remedy)


def _check_ldap(settings: Settings) -> list[Problem]:
    problems = _lacking(
        {"airflow_ldap_uri": settings.ldap_uri, "airflow_ldap_search_base": settings.ldap_search_base}, "ldap"
    )
    for uri in settings.ldap_uri.split():
        fault = url_problem(uri, ("ldap", "ldaps"), plain=True)
        if not fault and urlsplit(uri).path.strip("/"):
            fault = "a path; airflow_ldap_search_base says where accounts are"
        if not fault and urlsplit(uri).scheme == "ldap" and not settings.ldap_start_tls:
            fault = "ldap://, which would show passwords to the network"
        if not fault and urlsplit(uri).scheme == "ldaps" and settings.ldap_start_tls:
            fault = "ldaps://, and airflow_ldap_start_tls is set"
        if fault:
            expected = "ldaps:// and a host, or ldap:// with airflow_ldap_start_tls"
            problems.append(_malformed("airflow_ldap_uri", f"a URL with {fault}", expected))
    if bool(settings.ldap_bind_dn) == bool(settings.ldap_username_format):
        found = "both" if settings.ldap_bind_dn else "neither"
        expected = "one of airflow_ldap_bind_dn and airflow_ldap_username_format"
        problems.append(Problem(Code.FD310, "airflow_ldap_bind_dn", found, expected, "One of them says who searches."))
    if bool(settings.ldap_bind_dn) != bool(settings.ldap_bind_password):
        where = "airflow_ldap_bind_password"
        found = "no password for airflow_ldap_bind_dn" if settings.ldap_bind_dn else "a password without its account"
        problems.append(Problem(Code.FD310, where, found, "both or none", "Most directories take neither alone."))
    if settings.ldap_username_format and settings.ldap_username_format.count("%s") != 1:
        problems.append(_malformed("airflow_ldap_username_format", "another text", "a text with one %s for the name"))
    form = settings.ldap_search_filter
    if form and not (form.startswith("(") and form.endswith(")") and form.count("(") == form.count(")")):
        problems.append(_malformed("airflow_ldap_search_filter", "another text", "a filter in parentheses"))
    for name in ("ldap_user_attribute", "ldap_group_attribute"):
        if not _ATTRIBUTE.fullmatch(getattr(settings, name)):
            problems.append(_malformed(f"airflow_{name}", "another text", "the name of an attribute"))
    return problems


def _check_openid(settings: Settings) -> list[Problem]:
    problems = _lacking(
        {
            "airflow_openid_issuer": settings.openid_issuer,
            "airflow_openid_client_id": settings.openid_client_id,
            "airflow_openid_client_secret": settings.openid_client_secret,
            "airflow_openid_user_claim": settings.openid_user_claim,
            "airflow_openid_groups_claim": settings.openid_groups_claim,
        },
        "openid",
    )
    issuer = settings.openid_issuer
    if issuer and (fault := url_problem(issuer, ("https",), plain=True)):
        expected = f"https:// and a host, the part before {METADATA}"
        problems.append(_malformed("airflow_openid_issuer", f"a URL with {fault}", expected))
    if "openid" not in settings.openid_scopes or not all(map(_SCOPE.fullmatch, settings.openid_scopes)):
        problems.append(_malformed("airflow_openid_scopes", "others", "a list of words, openid among them"))
    if not _PROVIDER_NAME.fullmatch(settings.openid_name):
        expected = "up to 63 letters, digits, '_' or '-': it is a part of a URL"
        problems.append(_malformed("airflow_openid_name", repr(settings.openid_name), expected))
    return problems


def check_file(path: str, rendered: Callable[[str], str]) -> list[Problem]:
    """Problems of the template at ``path``, the value of ``airflow_webserver_config_file``.

    ``rendered`` makes its text, and raises any exception with a message that has no value of a variable.
    """
    if not path:
        return []

    def fault(found: str, expected: str) -> list[Problem]:
        remedy = "Correct it; no user could log in."
        return [Problem(Code.FD314, "airflow_webserver_config_file", found, expected, remedy)]

    try:
        text = Path(os.path.expanduser(path)).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return fault(f"{path}: {getattr(error, 'strerror', None) or 'no text'}", "a file on the controller")
    try:
        program = rendered(text)
    except Exception as error:
        return fault(f"{path}, a template that fails: {error}", "a template")
    try:
        compile(program, path, "exec")
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", 0)
        return fault(f"{path}, whose line {line} is no Python ({getattr(error, 'msg', error)})", "Python")
    return []
