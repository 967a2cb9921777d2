#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Bring Airflow's metadata database to the release's schema and keep its administrator account."""

from __future__ import annotations

DOCUMENTATION = r"""
module: metadata_db
short_description: Migrate Airflow's database and keep the administrator account
version_added: 0.1.0
description:
  - Compares the schema versions in the database with those of the installed release, and runs C(airflow db migrate)
    when they differ; makes the administrator account, or sets its password, when it is missing or has another one. A
    diff never shows the password.
  - When nothing is to do, it costs a few queries and no import of Airflow.
  - Fails before any change when the schema is none that the release knows, or O(fernet_key) does not decrypt what is in
    the database.
  - Migrations run as the database's owner, whose password no file of the host has; the environment of their process
    does meanwhile.
  - Must run with the Python of the release (C(ansible_python_interpreter)), as root, on one host of the cluster.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.changes
options:
  airflow:
    description: The C(airflow) command of the release.
    type: path
    required: true
  user:
    description: Account that Airflow's own commands run as.
    type: str
    required: true
  owner_url:
    description: SQLAlchemy URL by which the owner of the tables reaches the database.
    type: str
    required: true
  result_tables:
    description: Whether Celery's results are in the same database, where its account may not make their tables; the
      owner makes them then.
    type: bool
    default: false
  command:
    description: Arguments of a command of C(airflow db) to run as the owner, and nothing else. It counts as a change.
    type: list
    elements: str
    default: []
  check_command:
    description: Arguments of a command of C(airflow db) that changes nothing, to run in the place of O(command) in
      check mode.
    type: list
    elements: str
    default: []
  release_file:
    description: JSON file of the release whose key C(heads) says which schema version each version table must hold.
    type: path
    required: true
  fernet_key:
    description: Airflow's Fernet keys, with commas between them. Empty means that nothing is said about them.
    type: str
    default: ''
  username:
    description: The administrator's name.
    type: str
    required: true
  email:
    description: The administrator's address, used when the account is made.
    type: str
    required: true
  password:
    description: The administrator's password.
    type: str
    required: true
  keep_account:
    description: Whether the administrator has an account in the database, because FAB is the auth manager.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Migrate the database
  flightdeck.airflow.metadata_db:
    airflow: /opt/airflow/current/bin/airflow
    user: airflow
    owner_url: "{{ airflow_cluster.database_owner | flightdeck.airflow.secret_content(airflow_secrets) }}"
    release_file: /opt/airflow/current/release.json
    fernet_key: "{{ airflow_secrets.fernet_key }}"
    username: admin
    email: admin@example.org
    password: "{{ airflow_secrets.admin_password }}"
  vars:
    ansible_python_interpreter: /opt/airflow/current/bin/python
"""

RETURN = r"""
migrated:
  description: Whether the schema was changed.
  type: bool
  returned: always
account:
  description: What happened to the account.
  type: str
  returned: always
  sample: created
stdout:
  description: What the command said.
  type: str
  returned: when O(command) was run
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _metadata, _redaction

# Runs inside the release, where the auth manager's own functions keep the hashing and the roles right. Reads JSON from
# stdin, because an argument could be seen in the process list.
ACCOUNT_SCRIPT = """
import json, sys
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
wanted = json.load(sys.stdin)
with get_application_builder() as builder:
    manager = builder.sm
    manager.sync_roles()
    user = manager.find_user(wanted["username"])
    if user:
        manager.reset_password(user.id, wanted["password"])
    else:
        role = manager.find_role("Admin")
        name, email, password = (wanted[key] for key in ("username", "email", "password"))
        if not manager.add_user(name, "Cluster", "Administrator", email, role, password):
            raise SystemExit("the account could not be made")
"""

# The auth manager makes those of its tables that an older Airflow did not have when a webserver starts, which may not.
USERS_SCRIPT = """
import os
from airflow.providers.fab.auth_manager.models import model_metadata
from sqlalchemy import create_engine
model_metadata.create_all(create_engine(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]))
"""
# The version table of the auth manager's own schema, on Airflow 3, and the latest of its tables.
USERS_VERSION = "alembic_version_fab"
USERS_TABLE = "ab_group"


@dataclass
class State:
    """What is in the database: schema version per version table, the names of all tables, the administrator's hash,
    an encrypted text."""

    versions: dict[str, str]
    tables: set[str]
    password_hash: str
    token: str

    def account(self, password: str) -> str:
        """What the administrator's account needs: created, password set, or unchanged."""
        from werkzeug.security import check_password_hash

        if not self.password_hash:
            return "created"
        return "unchanged" if check_password_hash(self.password_hash, password) else "password set"

    def state_problem(self, version: str, revisions: set[str], keys: str) -> str | None:
        """Why Airflow ``version`` with its schema versions ``revisions`` and Fernet ``keys`` must not use it; None when
        it may.

        What is empty is not checked.
        """
        schema = self.versions.get("alembic_version", "")
        if schema and revisions and schema not in revisions:
            remedy = (
                "Set airflow_version to the newer one, or bring the schema back first: by a backup, or by its own "
                "airflow db downgrade."
            )
            expected = f"one that Airflow {version} knows"
            found = f"the schema version {schema}, of a newer Airflow or of a very old one"
            return f"FD216 metastore: found {found}; expected {expected}. {remedy}"
        if self.token and keys and not _metadata.decrypts(self.token, keys):
            found, expected, remedy = _metadata.WRONG_KEY
            return f"FD215 airflow_fernet_key: found {found}; expected {expected}. {remedy}"
        return None


def state(url: str, username: str) -> State:
    """What is in the database at ``url``. Raises what SQLAlchemy and its drivers do."""
    from sqlalchemy import create_engine, inspect, text

    with create_engine(url).connect() as connection:
        tables = set(inspect(connection).get_table_names())

        def first(query: str, **parameters: str) -> str:
            return str(connection.execute(text(query), parameters).scalar() or "")

        versions = {
            table: first(f"SELECT version_num FROM {table}") for table in tables if table.startswith("alembic_version")
        }
        stored = (
            first("SELECT password FROM ab_user WHERE username = :name", name=username) if "ab_user" in tables else ""
        )
        token = first(_metadata.ENCRYPTED) if tables >= _metadata.TABLES else ""
        return State(versions, tables, stored, token)


def known_revisions(heads: Mapping[str, str]) -> set[str]:
    """The schema versions that the release knows, without an import of Airflow, which takes seconds; empty when they
    cannot be found.

    ``heads`` are its own: without that one among them, the others mean nothing.
    """
    package = importlib.util.find_spec("airflow")
    folders = package.submodule_search_locations or () if package else ()
    found = {revision for folder in folders for revision in _metadata.revisions(folder)}
    return found if heads.get("alembic_version") in found else set()


def make_result_tables(url: str) -> None:
    """Make the tables of Celery's results as Celery would, those of them that are missing."""
    from celery.backends.database.models import Task
    from sqlalchemy import create_engine

    # All models of Celery share the metadata.
    Task.metadata.create_all(create_engine(url))


def run(
    module: AnsibleModule, what: str, command: list[str], stdin: str = "", environment: Mapping[str, str] | None = None
) -> str:
    """Run ``command`` and return what it said; fail with its last lines."""
    user = module.params["user"]
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        user=user,
        group=user,
        extra_groups=[],
        # As the services' UMask.
        umask=0o027,
        cwd="/",
        env={**os.environ, **(environment or {})},
    )
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        module.fail_json(
            msg=f"{what} failed with code {done.returncode}:\n{_redaction.redacted(said, module.params['owner_url'])}"
        )
    return done.stdout


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "airflow": {"type": "path", "required": True},
            "owner_url": {"type": "str", "required": True, "no_log": True},
            "result_tables": {"type": "bool", "default": False},
            "command": {"type": "list", "elements": "str", "default": []},
            "check_command": {"type": "list", "elements": "str", "default": []},
            "user": {"type": "str", "required": True},
            "release_file": {"type": "path", "required": True},
            "fernet_key": {"type": "str", "default": "", "no_log": True},
            "username": {"type": "str", "required": True},
            "email": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "keep_account": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    wanted: dict[str, Any] = module.params
    with open(wanted["release_file"], encoding="utf-8") as stream:
        release = json.load(stream)
    heads = release["heads"]
    url = wanted["owner_url"]
    as_owner = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}
    if wanted["command"]:
        chosen = wanted["check_command"] if module.check_mode else wanted["command"]
        command = [wanted["airflow"], "db", *chosen]
        said = run(module, " ".join(["airflow db", *chosen]), command, environment=as_owner) if chosen else ""
        module.exit_json(changed=True, migrated=False, account="unchanged", stdout=said)
    try:
        found = state(url, wanted["username"])
    except Exception as error:
        module.fail_json(msg=f"the metadata database does not answer: {_redaction.reason(error, url)}")
    present = {name: found.versions.get(name) or "absent" for name in heads}
    migrate = present != heads
    if problem := found.state_problem(
        release["version"], known_revisions(heads) if migrate else set(), wanted["fernet_key"]
    ):
        module.fail_json(msg=problem)
    account = found.account(wanted["password"]) if wanted["keep_account"] else "unchanged"
    results = {"celery_taskmeta", "celery_tasksetmeta"} <= found.tables
    if migrate and not module.check_mode:
        run(module, "airflow db migrate", [wanted["airflow"], "db", "migrate"], environment=as_owner)
    # On an empty database the migration makes them.
    users = USERS_VERSION in heads and bool(found.versions) and USERS_TABLE not in found.tables
    if users and not module.check_mode:
        run(module, "making tables of users", [sys.executable, "-c", USERS_SCRIPT], environment=as_owner)
    missing = wanted["result_tables"] and not results
    if missing and not module.check_mode:
        make_result_tables(url)
    if account != "unchanged" and not module.check_mode:
        document = json.dumps({name: wanted[name] for name in ("username", "email", "password")})
        run(module, "making the administrator account", [sys.executable, "-c", ACCOUNT_SCRIPT], document)
    before = {"schema": present, "account": "unchanged", "result_tables": "absent" if missing else "unchanged"}
    after = {"schema": heads, "account": account, "result_tables": "created" if missing else "unchanged"}
    before["user_tables"], after["user_tables"] = ("absent", "created") if users else ("unchanged", "unchanged")
    module.exit_json(
        changed=migrate or missing or users or account != "unchanged",
        migrated=migrate,
        account=account,
        diff={
            "before": json.dumps(before, indent=1, sort_keys=True) + "\n",
            "after": json.dumps(after, indent=1, sort_keys=True) + "\n",
        },
    )


if __name__ == "__main__":
    main()
