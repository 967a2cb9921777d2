# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a host is drained: a file on it that keeps its components of Airflow from running, until it is removed."""

from __future__ import annotations

import json

from ansible_collections.flightdeck.airflow.plugins.module_utils import _files

# Units of components have a condition on it (roles/airflow/templates/etc/systemd/system).
PATH = "/etc/airflow/drained"
UNKNOWN = "an unknown time"


def read() -> dict[str, str]:
    """``since`` when the host is drained and for which ``reason``; empty when it is not. Raises OSError.

    The file alone counts: an operator may have created it without content.
    """
    text = _files.read_text(PATH)
    if text is None:
        return {}
    try:
        said = json.loads(text)
        return {"since": str(said["since"]), "reason": str(said["reason"])}
    except (ValueError, TypeError, LookupError):
        return {"since": UNKNOWN, "reason": ""}


def text(since: str, reason: str) -> str:
    """The content of the file."""
    return json.dumps({"since": since, "reason": reason}) + "\n"


def words(record: dict[str, str]) -> str:
    """A ``record`` for people."""
    return f"since {record['since']}" + (f": {record['reason']}" if record["reason"] else "")
