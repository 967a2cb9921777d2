"""The releases of Debian that hosts may run. Data only."""

from __future__ import annotations

DEBIAN_RELEASES = ("12", "13")
