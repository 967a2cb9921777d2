"""Names of releases: equal names mean equal environments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

# To be raised when the same inputs make other releases than before. 2: with an SBOM.
_FORMAT = "2"


def release_id(version: str, python: str, *inputs: str | Iterable[str]) -> str:
    """``<version>-<digest>-py<minor>``, where the digest changes with every one of ``inputs`` (the lock's text, extra packages)."""
    parts = [text if isinstance(text, str) else "\n".join(text) for text in inputs]
    digest = hashlib.sha256("\0".join([_FORMAT, python, *parts]).encode()).hexdigest()[:8]
    return f"{version}-{digest}-py{'.'.join(python.split('.')[:2])}"
