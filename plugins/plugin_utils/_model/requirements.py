# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's Python packages: the lines of a requirements file, and what the name of a wheel says."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WHEEL = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._]*)-(?P<version>[A-Za-z0-9.!+_]+)(-\d[A-Za-z0-9._]*)?"
    r"-(?P<pythons>[A-Za-z0-9._]+)-(?P<abis>[A-Za-z0-9._]+)-(?P<platforms>[A-Za-z0-9._]+)\.whl"
)


@dataclass(frozen=True)
class WheelName:
    """What the name of a wheel says: tags of Pythons, ABIs and platforms, each one or several."""

    name: str
    version: str
    pythons: tuple[str, ...]
    abis: tuple[str, ...]
    platforms: tuple[str, ...]

    @property
    def requirement(self) -> str:
        """Its package and version, as name==version."""
        return f"{re.sub(r'[-_.]+', '-', self.name).lower()}=={self.version.replace('_', '-')}"

    def fits(self, minor: str) -> bool:
        """Whether it may be for Linux and the Python ``minor``, such as 3.11. Nothing is said of processors."""
        number = int(minor.partition(".")[2])
        linux = any(platform == "any" or "linux" in platform for platform in self.platforms)
        return linux and any(self._admits(tag, number) for tag in self.pythons)

    def _admits(self, tag: str, number: int) -> bool:
        match = re.fullmatch(r"(py|cp)3(\d*)", tag)
        if not match:
            return False
        if match[1] == "py" or "abi3" in self.abis:
            return int(match[2] or 0) <= number
        return match[2] == str(number)


def wheel_name(file: str) -> WheelName | None:
    """What the name ``file`` says; None for what is no name of a wheel."""
    match = _WHEEL.fullmatch(file)
    if not match:
        return None
    tags = (tuple(match[part].split(".")) for part in ("pythons", "abis", "platforms"))
    return WheelName(match["name"], match["version"], *tags)


def requirements(text: str) -> list[str]:
    """The requirements in the ``text`` of a file: lines without comments, those that continue as one."""
    joined = re.sub(r"\\\r?\n", " ", text)
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in joined.splitlines())
    return [" ".join(line.split()) for line in lines if line]
