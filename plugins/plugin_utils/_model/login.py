# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How people log in: the auth manager, and what webserver_config.py of a webserver says."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import (
    LOGIN_CA,
    SECRETS_DIR,
    SYSTEM_CA_FILE,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import (
    Ldap,
    Login,
    OpenId,
    PlainValue,
    SecretFile,
    secret_name,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import Config
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings

METADATA = "/.well-known/openid-configuration"
# Debian's client for LDAP. That of the package index has no build for Linux.
LDAP_PACKAGE = "python3-ldap"


# Auth managers with a name of their own.
MANAGERS: Mapping[str, str] = MappingProxyType(
    {
        "fab": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "simple": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
    }
)


def manager(settings: Settings) -> Literal["fab", "simple", "other"]:
    """Which auth manager the ``settings`` name, by its name or its class."""
    given = settings.auth_manager
    if given in ("fab", MANAGERS["fab"]):
        return "fab"
    return "simple" if given in ("simple", MANAGERS["simple"]) else "other"


def passwords_file(settings: Settings) -> str:
    """Where the simple auth manager has the passwords of its users; empty for others. Webservers open it for writing,
    which they may in the home of the ``settings`` alone."""
    return f"{settings.home}/simple_auth_manager_passwords.json" if manager(settings) == "simple" else ""


def manager_config(settings: Settings) -> Config:
    """The options of airflow.cfg with the auth manager of the ``settings``."""
    options: dict[str, object] = {"auth_manager": MANAGERS.get(settings.auth_manager, settings.auth_manager)}
    if path := passwords_file(settings):
        options["simple_auth_manager_users"] = f"{settings.admin_user}:admin"
        options["simple_auth_manager_passwords_file"] = path
    return {"core": options}


def roles_of(value: object) -> tuple[str, ...]:
    """The roles that ``value``, an entry of ``airflow_login_roles``, names: one, or a list of them."""
    return tuple(map(str, value)) if isinstance(value, (list, tuple)) else (str(value),)


def share(settings: Settings) -> Login:
    """How people log in, by ``settings``."""
    return Login(
        kind=settings.login,
        passwords_file=passwords_file(settings),
        file=settings.webserver_config_file,
        roles={group: roles_of(roles) for group, roles in settings.login_roles.items()},
        default_role=settings.login_default_role,
        registration=settings.login_registration,
        ca_file=f"{SECRETS_DIR}/{LOGIN_CA}" if settings.login_ca else SYSTEM_CA_FILE,
        ldap=_ldap(settings) if settings.login == "ldap" else None,
        openid=_openid(settings) if settings.login == "openid" else None,
    )


def secret_files(settings: Settings) -> tuple[SecretFile, ...]:
    """The secret files that webserver_config.py may name."""
    given = (
        (LOGIN_CA, secret_name("login_ca"), settings.login_ca),
        ("ldap_bind_password", secret_name("ldap_bind_password"), settings.ldap_bind_password),
        ("openid_client_secret", secret_name("openid_client_secret"), settings.openid_client_secret),
    )
    return tuple(PlainValue(file=file, secret=secret) for file, secret, value in given if value)


def _ldap(settings: Settings) -> Ldap:
    # Its password is not for the directory, and an account of that name there is not for Airflow.
    others = f"(!({settings.ldap_user_attribute}={settings.admin_user}))"
    return Ldap(
        uri=settings.ldap_uri,
        start_tls=settings.ldap_start_tls,
        bind_dn=settings.ldap_bind_dn,
        username_format=settings.ldap_username_format,
        search_base=settings.ldap_search_base,
        search_filter=f"(&{settings.ldap_search_filter}{others})" if settings.ldap_search_filter else others,
        user_attribute=settings.ldap_user_attribute,
        group_attribute=settings.ldap_group_attribute,
    )


def _openid(settings: Settings) -> OpenId:
    issuer = settings.openid_issuer
    return OpenId(
        name=settings.openid_name,
        metadata_url=issuer if issuer.endswith(METADATA) else issuer.rstrip("/") + METADATA,
        client_id=settings.openid_client_id,
        scopes=settings.openid_scopes,
        user_claim=settings.openid_user_claim,
        groups_claim=settings.openid_groups_claim,
    )
