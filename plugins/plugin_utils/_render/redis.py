# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis's users."""

from __future__ import annotations

import hashlib

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import Secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Redis

# What the exporter asks for. It does without SLOWLOG GET, which has what commands were given.
_STATISTICS = "+ping +info +select +type +llen +client|setname +config|get +latency|latest +slowlog|len"


def redis_users(node: Redis, secrets: Secrets) -> str:
    """Content of the file of users: all may ask whether Redis lives, one may do what Celery does, and one reads
    statistics and the lengths of queues, but no message.

    Raises KeyError for a missing secret.
    """
    digest = hashlib.sha256(secrets[node.secret].encode()).hexdigest()
    metrics = ""
    if node.metrics_user and node.metrics_secret:
        digest_of_metrics = hashlib.sha256(secrets[node.metrics_secret].encode()).hexdigest()
        metrics = f"user {node.metrics_user} on #{digest_of_metrics} resetchannels %R~* -@all {_STATISTICS}\n"
    return (
        f"user default on nopass resetchannels resetkeys -@all +ping +role\nuser {node.user} on #{digest} ~* &* "
        "+@all -@admin -@dangerous\n"
        f"{metrics}"
    )
