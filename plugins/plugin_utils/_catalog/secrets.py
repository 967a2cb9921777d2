# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The secrets of a cluster: how each is made, its bounds and its account. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import MODES
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import SERVICES

# ``given`` is what only the user can know: nothing is made in its place.
Kind = Literal["password", "signing_key", "fernet_key", "erlang_cookie", "given", "given_certificate"]


@dataclass(frozen=True)
class Secret:
    """One secret. The variable ``airflow_<name>`` overrides a value that the collection makes.

    ``account`` is the login that it belongs to, which must not be its own password, or ``variable`` the one that names
    it. A value of the user's has none of the characters in ``without``. ``server`` is the service whose managed server
    has that account: with an external server there is none. ``paired`` accounts exist twice, so that a rotation has
    the next one ready before the last one goes. ``length`` bounds a value of the user's, in bytes; a password of 12
    random characters outlives the cluster.
    """

    name: str
    kind: Kind = "password"
    account: str = ""
    variable: str = ""
    without: str = ""
    server: str = ""
    paired: bool = False
    length: tuple[int, int] = (12, 256)


SECRETS = (
    Secret("metastore_password", account="airflow", server="metastore", paired=True),
    Secret("metastore_owner_password", account="airflow_owner", server="metastore"),
    Secret("metastore_replication_password", account="replicator", server="metastore"),
    Secret("metastore_rewind_password", account="rewinder", server="metastore"),
    Secret("result_backend_password", account="airflow_results", server="metastore", paired=True),
    Secret("broker_password", account="airflow", paired=True),
    Secret("pgbouncer_password", account="pgbouncer", server="metastore"),
    # What was written with it can be read with it only: it is never renewed.
    Secret("backup_cipher_password"),
    *(Secret(name, account=account) for mode in MODES for name, account in mode.passwords.items()),
    Secret("rabbitmq_cookie", "erlang_cookie"),
    *(
        Secret(password.name, account=password.account, variable=password.variable, without=password.without)
        for service in SERVICES
        for password in service.passwords
    ),
    Secret("fernet_key", "fernet_key"),
    Secret("api_secret_key", "signing_key", length=(32, 1024)),
    # HS512 wants 64 bytes.
    Secret("jwt_secret", "signing_key", length=(64, 1024)),
    # Key of the fingerprints. It opens nothing, and by it hosts know their cluster.
    Secret("digest_key", length=(16, 1024)),
    Secret("broker_url", "given"),
    Secret("broker_ca", "given_certificate"),
    Secret("dags_git_token", "given"),
    Secret("dags_git_key", "given"),
    Secret("sqs_secret_access_key", "given"),
    Secret("backup_s3_secret_access_key", "given"),
    Secret("backup_s3_ca", "given_certificate"),
    Secret("metastore_url", "given"),
    Secret("metastore_owner_url", "given"),
    Secret("result_backend_url", "given"),
    Secret("metastore_ca", "given_certificate"),
    Secret("ldap_bind_password", "given"),
    Secret("openid_client_secret", "given"),
    Secret("alert_webhook_url", "given"),
    Secret("alert_email_password", "given"),
    Secret("login_ca", "given_certificate"),
    *(Secret(name, "given") for mode in MODES for name in mode.given_secrets),
)

BY_NAME = {secret.name: secret for secret in SECRETS}
GENERATED = tuple(secret.name for secret in SECRETS if not secret.kind.startswith("given"))
GIVEN = tuple(secret.name for secret in SECRETS if secret.kind.startswith("given"))
PUBLIC = frozenset(secret.name for secret in SECRETS if secret.kind == "given_certificate")
# The digest key opens nothing, and by it hosts know their cluster. Backups can be read with their password only.
ROTATABLE = tuple(name for name in GENERATED if name not in ("digest_key", "backup_cipher_password"))
# Variables by which the user names the accounts of passwords.
ACCOUNTS = {secret.name: secret.variable for secret in SECRETS if secret.variable}
PAIRED = tuple(secret.name for secret in SECRETS if secret.paired)
# Secrets of accounts that only the managed PostgreSQL has.
OWN_SECRETS = tuple(secret.name for secret in SECRETS if secret.server == "metastore")
METASTORE_URLS = ("metastore_url", "metastore_owner_url", "result_backend_url")
