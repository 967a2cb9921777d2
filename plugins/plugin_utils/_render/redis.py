"""Redis's users."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any


def redis_users(node: Mapping[str, Any], secrets: Mapping[str, Any]) -> str:
    """Redis's users: everybody may ask whether it lives, one may do what Celery does. ``node`` is the model's share of the host."""
    digest = hashlib.sha256(str(secrets[node["secret"]]).encode()).hexdigest()
    return (
        "user default on nopass resetchannels resetkeys -@all +ping +role\n"
        f"user {node['user']} on #{digest} ~* &* +@all -@admin -@dangerous\n"
    )
