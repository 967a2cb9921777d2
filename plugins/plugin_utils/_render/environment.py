"""Environment files that systemd and a shell read alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def environment_file(variables: Mapping[str, Any]) -> str:
    """``NAME="value"`` lines, sorted.

    Inside double quotes both readers take a backslash before ``"``, ``\\``, ``$`` and `````.
    """
    lines = []
    for name in sorted(variables):
        value = str(variables[name])
        for special in ("\\", '"', "$", "`"):
            value = value.replace(special, "\\" + special)
        lines.append(f'{name}="{value}"\n')
    return "".join(lines)
