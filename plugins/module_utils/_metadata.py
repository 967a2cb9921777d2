# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""What Airflow's metadata database says about the schema and the Fernet key: for the preflight, and right before a
migration."""

from __future__ import annotations

import base64
import glob
import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# The tables that hold what a Fernet key has encrypted, and the shortest such text in them. For PostgreSQL and MySQL.
TABLES = frozenset({"connection", "variable"})
ENCRYPTED = (
    "SELECT sealed FROM (SELECT password AS sealed FROM connection WHERE is_encrypted UNION ALL SELECT extra FROM "
    "connection "
    "WHERE is_extra_encrypted UNION ALL SELECT val FROM variable WHERE is_encrypted) AS encrypted "
    "WHERE sealed <> '' ORDER BY length(sealed) LIMIT 1"
)
# What a wrong key is called: found, expected, remedy.
WRONG_KEY = (
    "a key that does not decrypt the connections and variables in the metastore",
    "the key that encrypted them",
    "Restore it, from a copy of the secrets file; or set both, the new one first: NEW,OLD.",
)


def decrypts(token: str, keys: str) -> bool:
    """Whether one of the Fernet ``keys``, with commas between them, made ``token``: its last 32 bytes prove which."""
    try:
        sealed = base64.urlsafe_b64decode(token)
    except ValueError:
        return False
    proofs = (
        hmac.new(base64.urlsafe_b64decode(key)[:16], sealed[:-32], hashlib.sha256).digest() for key in keys.split(",")
    )
    return any(hmac.compare_digest(proof, sealed[-32:]) for proof in proofs)


def revisions(package: str) -> set[str]:
    """The schema versions that the Airflow in the directory ``package`` knows, from its migrations; empty when
    there are none."""
    found = set()
    for path in glob.glob(f"{glob.escape(package)}/migrations/versions/*.py"):
        with open(path, encoding="utf-8") as stream:
            found |= set(re.findall(r"^revision(?:: str)? = [\"'](\w+)[\"']", stream.read(), re.MULTILINE))
    return found


@dataclass(frozen=True)
class Migration:
    """One step of a schema: its revision, the one that it follows (empty for the first), the version that brought it,
    and its title."""

    revision: str
    follows: str
    version: str
    title: str


# Version table, and where in a release's packages its migrations are.
CHAINS = {"alembic_version": "airflow", "alembic_version_fab": "airflow/providers/fab"}


def migrations(package: str) -> dict[str, Migration]:
    """The migrations of the package in the directory ``package``, by revision, from the text of their files."""
    found = {}
    for path in sorted(glob.glob(f"{glob.escape(package)}/migrations/versions/*.py")):
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        values = dict(re.findall(r"^(\w+)(?:: [^=\n]+)? = [\"']([\w.]+)[\"']", text, re.MULTILINE))
        if "revision" in values:
            version = values.get("airflow_version") or values.get("fab_version", "")
            title = re.search(r'^"""\s*(.+?)\.?\s*$', text, re.MULTILINE)
            found[values["revision"]] = Migration(
                values["revision"], values.get("down_revision", ""), version, title[1] if title else ""
            )
    return found


def between(chain: Mapping[str, Migration], present: str, head: str) -> list[Migration] | None:
    """The migrations that lead from the revision ``present`` (empty for a schema that is not there) to ``head``, in
    their order; None when they do not."""
    steps: list[Migration] = []
    revision = head
    while revision and revision != present:
        if revision not in chain or chain[revision] in steps:
            return None
        steps.append(chain[revision])
        revision = chain[revision].follows
    return steps[::-1] if revision == present else None


def versions(connection: Any) -> dict[str, str]:
    """Schema version by version table, of an SQLAlchemy ``connection``. Raises what its driver does."""
    from sqlalchemy import inspect, text

    tables = [name for name in inspect(connection).get_table_names() if name.startswith("alembic_version")]
    return {name: str(connection.execute(text(f"SELECT version_num FROM {name}")).scalar() or "") for name in tables}


def packages_of(python: str) -> str:
    """The directory of the packages of the virtual environment whose interpreter is ``python``; empty without one."""
    root = os.path.dirname(os.path.dirname(python))
    return next(iter(glob.glob(f"{glob.escape(root)}/lib/python3.*/site-packages")), "")
