# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RabbitMQ's definitions: virtual host, users, permissions and policies as the one file that a node loads."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import Secrets, login
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import RabbitMq


def password_hash(user: str, password: str, key: str) -> str:
    """``password`` as RabbitMQ stores it: base64(salt + SHA-256(salt + password)), with a salt of 4 bytes.

    The salt comes from ``key`` and the user name, so the same input gives the same file, and without the key it does
    not show whether two clusters share a password.
    """
    salt = hmac.new(key.encode(), f"rabbitmq user {user}".encode(), hashlib.sha256).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def limits(node: RabbitMq) -> dict[str, int]:
    """What a message may live through. Celery's own control queues are classic and know no delivery-limit."""
    # Bounds the redeliveries of a task that kills its worker.
    found = {"delivery-limit": node.delivery_limit}
    if node.message_ttl_seconds is not None:
        # In milliseconds, and RabbitMQ takes no more than 32 bits.
        found["message-ttl"] = int(min(1000 * node.message_ttl_seconds, 2**32 - 1))
    return found


def definitions(node: RabbitMq, secrets: Secrets) -> str:
    """Content of the definitions file for ``node``, stable to the byte. Raises KeyError for a missing secret."""
    vhost = node.vhost
    user = login(node.user, node.secret, secrets)
    users: list[tuple[str, str, list[str]]] = [
        (user, node.secret, []),
        (node.admin_user, "rabbitmq_admin_password", ["administrator"]),
        *((each.user, each.secret, []) for each in node.component_users),
    ]
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    fewer = {each.user: {right: f"^({getattr(each, right)})$" for right in everything} for each in node.component_users}
    document = {
        "vhosts": [
            {"name": vhost, "default_queue_type": "quorum", "metadata": {"default_queue_type": "quorum", "tags": []}}
        ],
        "users": [
            {
                "name": user,
                "password_hash": password_hash(user, secrets[secret], secrets["digest_key"]),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": tags,
            }
            for user, secret, tags in users
        ],
        "permissions": [{"user": user, "vhost": vhost, **fewer.get(user, everything)} for user, *_others in users],
        # All queues but those in which Celery keeps messages for later.
        "policies": [
            {
                "vhost": vhost,
                "name": "airflow-queues",
                "pattern": "^(?!celery_delayed_)",
                "apply-to": "queues",
                "definition": limits(node),
                "priority": 1,
            }
        ],
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
