"""RabbitMQ's definitions: virtual host, users, permissions and policies as the one file that a node loads."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._secrets import login


def password_hash(user: str, password: str, key: str) -> str:
    """``password`` as RabbitMQ stores it: base64(salt + SHA-256(salt + password)), with a salt of 4 bytes.

    The salt comes from ``key`` and the user name, so the same input gives the same file, and nobody without the key can tell
    whether two clusters share a password.
    """
    salt = hmac.new(key.encode(), f"rabbitmq user {user}".encode(), hashlib.sha256).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def cookie(value: str) -> str:
    """``value`` as an Erlang cookie. Raises ValueError for what Erlang refuses, and for what Debian's package would replace."""
    if not re.fullmatch(r"[!-~]{20,255}", value):
        raise ValueError("rabbitmq_cookie must be 20 to 255 printable ASCII characters without spaces")
    if re.fullmatch(r"[A-Z]{20}", value):
        raise ValueError("rabbitmq_cookie of exactly 20 capitals would be replaced by the Debian package; choose another")
    return value


def definitions(node: Mapping[str, Any], secrets: Mapping[str, Any]) -> str:
    """Content of the definitions file for ``node`` (the model's rabbitmq share), stable to the byte.

    Raises KeyError when a secret is missing.
    """
    vhost = node["vhost"]
    user = login(node["user"], node["secret"], secrets)
    users = [(user, node["secret"], []), (node["admin_user"], "rabbitmq_admin_password", ["administrator"])]
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    document = {
        "vhosts": [{"name": vhost, "default_queue_type": "quorum", "metadata": {"default_queue_type": "quorum", "tags": []}}],
        "users": [
            {
                "name": user,
                "password_hash": password_hash(user, secrets[secret], secrets["digest_key"]),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": tags,
            }
            for user, secret, tags in users
        ],
        "permissions": [{"user": user, "vhost": vhost, **everything} for user, _, _ in users],
        # Bounds the redeliveries of a task that kills its worker. Celery's own control queues are classic and ignore it.
        "policies": [
            {
                "vhost": vhost,
                "name": "airflow-delivery-limit",
                "pattern": ".*",
                "apply-to": "queues",
                "definition": {"delivery-limit": node["delivery_limit"]},
                "priority": 0,
            }
        ],
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
