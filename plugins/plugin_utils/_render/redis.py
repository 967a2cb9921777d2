# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis's users."""

from __future__ import annotations

import hashlib

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import Secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Redis


def redis_users(node: Redis, secrets: Secrets) -> str:
    """Content of the file of users: all may ask whether Redis lives, one may do what Celery does.

    Raises KeyError for a missing secret.
    """
    digest = hashlib.sha256(secrets[node.secret].encode()).hexdigest()
    return (
        f"user default on nopass resetchannels resetkeys -@all +ping +role\nuser {node.user} on #{digest} ~* &* "
        "+@all -@admin -@dangerous\n"
    )
