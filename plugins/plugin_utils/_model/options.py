# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's options of airflow.cfg: those of airflow_config, and those of the environment, which win over them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.airflow_options import reference
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import Config

_ENVIRONMENT = re.compile(r"AIRFLOW__([A-Z0-9_]+?)__([A-Z0-9_]+)")


# Airflow's own limits of the connections of each engine: a pool, and more that are closed after use.
_POOL: Mapping[str, int] = MappingProxyType(
    {"database.sql_alchemy_pool_size": 5, "database.sql_alchemy_max_overflow": 10}
)
DEFAULT_POOL_LIMIT = sum(_POOL.values())


@dataclass(frozen=True)
class GivenOption:
    """An option that the user sets. ``where`` is its place in the inventory."""

    where: str
    section: str
    option: str
    value: object

    @property
    def name(self) -> str:
        """Its name in Airflow's reference."""
        return f"{self.section}.{self.option}"


def environment_options(
    environment: Mapping[str, object], version: str, place: str = "airflow_environment"
) -> Iterator[GivenOption]:
    """Every variable of ``environment``, from the ``place`` in the inventory, that stands for an option of Airflow
    ``version``.

    A dot of a section is an underscore in its variable. Raises KeyError for a version of which no tested one is near.
    """
    sections = {section.replace(".", "_"): section for section in reference(version).sections}
    for name, value in environment.items():
        if match := _ENVIRONMENT.fullmatch(str(name)):
            section = match[1].lower()
            yield GivenOption(f"{place}.{name}", sections.get(section, section), match[2].lower(), value)


def given_options(config: Mapping[str, object], environment: Mapping[str, object], version: str) -> list[GivenOption]:
    """The user's effective options of Airflow ``version`` on a host: of ``config``, or of its ``environment``.

    An option that is null is not among them: Airflow's default applies. Raises KeyError for a version of
    which no tested one is near.
    """
    found = {}
    for section, options in config.items():
        for option, value in options.items() if isinstance(options, Mapping) else ():
            one = GivenOption(f"airflow_config.{section}.{option}", str(section), str(option), value)
            found[one.name] = one
    found |= {one.name: one for one in environment_options(environment, version)}
    return [one for one in found.values() if one.value is not None]


def with_environment(
    config: Mapping[str, Mapping[str, object]], environment: Mapping[str, object], version: str
) -> Config:
    """The effective options of Airflow ``version``: a value in ``environment`` replaces that in ``config``.

    Raises KeyError for a version of which no tested one is near.
    """
    found = {section: dict(options) for section, options in config.items()}
    for one in environment_options(environment, version):
        found.setdefault(one.section, {})[one.option] = one.value
    return found


def pool_limit(given: Iterable[GivenOption]) -> int | None:
    """Connections to the metastore that each engine of a process may have with the options ``given``; None for no
    limit.

    A value that is no whole number counts as Airflow's own: it is another problem.
    """
    found = dict(_POOL)
    for one in given:
        if one.name in found and re.fullmatch(r"[+-]?\d+", str(one.value)):
            found[one.name] = int(str(one.value))
    size, overflow = found.values()
    return size + overflow if size > 0 and overflow >= 0 else None
