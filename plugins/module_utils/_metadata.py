"""What Airflow's metadata database says about the schema and the Fernet key: for the preflight, and right before a
migration."""

from __future__ import annotations

import base64
import glob
import hashlib
import hmac
import re

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
