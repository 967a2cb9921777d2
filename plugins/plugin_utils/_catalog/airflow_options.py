# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each version of Airflow knows of its options: names and types, read from options/<version>.json."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.versions import nearest

DIRECTORY = Path(__file__).parent / "options"


@dataclass(frozen=True)
class Reference:
    """What one version of Airflow knows. Names are ``section.option``."""

    version: str
    # Option to its words: the type first, then 'empty' (an empty value is allowed) and 'sensitive'.
    sections: Mapping[str, Mapping[str, str]]
    free_sections: frozenset[str]
    renamed: Mapping[str, str]
    removed: frozenset[str]
    invalid: Mapping[str, str]

    def words(self, section: str, option: str) -> list[str]:
        """What is known of an option; empty for an unknown one.

        ``x_cmd`` and ``x_secret`` exist where x is sensitive.
        """
        options = self.sections.get(section, {})
        if option in options:
            return options[option].split()
        base = re.sub(r"_(cmd|secret)$", "", option)
        return ["string"] if base != option and "sensitive" in options.get(base, "").split() else []

    def __contains__(self, name: object) -> bool:
        section, _dot, option = str(name).rpartition(".")
        return bool(self.words(section, option))


@functools.cache
def versions() -> tuple[str, ...]:
    """The versions that there is a reference of."""
    return tuple(sorted(path.stem for path in DIRECTORY.glob("*.json")))


@functools.cache
def reference(version: str) -> Reference:
    """The reference of ``version``, or of the tested one that is nearest. Raises KeyError when there is none."""
    return parse((DIRECTORY / f"{nearest(version).full}.json").read_text(encoding="utf-8"))


def parse(text: str) -> Reference:
    """The reference in the ``text`` of a file, of a release too. Raises ValueError and KeyError for what is none."""
    content = json.loads(text)
    return Reference(
        version=content["airflow"],
        sections=content["sections"],
        free_sections=frozenset(content["free_sections"]),
        renamed=content["renamed"],
        removed=frozenset(content["removed"]),
        invalid=content["invalid"],
    )
