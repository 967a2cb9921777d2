# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a cluster gets from the version of Airflow that it runs to another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.versions import numbers
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.plain import Plain

# Migrations that the table names; the document has all.
_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Change(Plain):
    """A change of the version of Airflow.

    ``running`` are the versions that hosts run, ``version`` is the one to come. ``stops`` says whether all of Airflow
    stops for it, else it restarts host after host, and ``reason`` why. ``migrates`` says whether the schema of the
    metastore is another one, and ``schema_version`` is the version whose schema it has. ``schema`` is what the active
    release needs, by version table, and ``interrupted`` says whether the metastore is between that and the schema of
    ``version``. ``major`` and ``done`` say whether the major version changes, and whether all hosts have the version
    already. ``name`` names the dump of the metastore that is made before it, by the version that it is of.
    """

    running: tuple[str, ...]
    version: str
    stops: bool
    migrates: bool
    schema_version: str
    schema: Mapping[str, str]
    interrupted_from: Mapping[str, str]
    major: bool
    done: bool
    reason: str
    name: str


class Compared(TypedDict, total=False):
    """Schema versions by version table: ``schema`` is that of the metastore, ``heads`` and ``active_heads`` are those
    of a release and of the active one, which is empty where there is none. ``equal`` says whether the first two are the
    same."""

    schema: Mapping[str, str]
    heads: Mapping[str, str]
    active_heads: Mapping[str, str]
    equal: bool


class Findings(TypedDict):
    """What the checks of a release found.

    ``migrations`` lead to its schema, each with ``version`` and ``title``; None when none do. ``errors`` and
    ``known_errors`` are import errors by DAG file, the second those that there are today; ``dags`` counts the files.
    """

    release: str
    size_mb: int
    migrations: Sequence[Mapping[str, str]] | None
    lint: Sequence[str]
    code: Sequence[str]
    dags: int
    errors: Mapping[str, str]
    known_errors: Mapping[str, str]


def _version(release: str) -> str:
    """The version of Airflow in the name of a ``release``."""
    return release.partition("-")[0]


def _minor(version: str) -> str:
    return version.rpartition(".")[0]


def _interrupted(compared: Compared) -> bool:
    """Whether the metastore is between two schemas. Each migration is a transaction of its own."""
    schema, active = compared.get("schema", {}), compared.get("active_heads", {})
    left = any(schema[table] != head for table, head in active.items() if table in schema)
    return left and compared.get("heads") not in (schema, active)


def change(releases: Mapping[str, str], version: str, compared: Compared, back: bool = False) -> Change:
    """The change to ``version`` of hosts with the active ``releases``, by host, empty where there is none.

    ``compared`` are the schemas of the metastore and of the releases; empty when nothing is known of them. ``back``
    says whether it goes back to ``version``, and the dump is that of the change which is taken back.
    """
    equal = compared.get("equal", False)
    running = tuple(sorted({_version(name) for name in releases.values() if name}, key=numbers))
    other_minor = [each for each in running if _minor(each) != _minor(version)]
    major = any(each.partition(".")[0] != version.partition(".")[0] for each in running)
    reason = "the schema is the same, and so is the minor version"
    if not equal:
        reason = "the schema of the metastore is another one"
    elif other_minor:
        reason = "components of two minor versions do not work together"
    before = next((each for each in running if each != version), version)
    schema = dict(compared.get("active_heads", {}))
    return Change(
        running=running,
        version=version,
        stops=not equal or bool(other_minor),
        migrates=not equal,
        schema_version=version if equal or not running else running[0],
        schema=schema,
        interrupted_from=schema if _interrupted(compared) else {},
        major=major,
        done=running == (version,) and equal,
        reason=reason,
        name=version if back else before,
    )


def table(change: Change, found: Findings) -> list[str]:
    """``change``, and what the checks ``found``, for people."""
    steps = found["migrations"] or ()
    verdict = "nothing to do" if change.done else "short stop" if change.stops else "rolling"
    rows = [
        ("airflow", f"{' and '.join(change.running) or 'none'} to {change.version}", found["release"]),
        ("verdict", verdict, change.reason),
        ("metastore", f"{len(steps)} migrations", f"database of {found['size_mb']} MiB"),
        *(("", step["version"], step["title"]) for step in steps[:_SHOWN]),
        *([("", f"and {len(steps) - _SHOWN} more", "")] if len(steps) > _SHOWN else []),
    ]
    rows += _findings("configuration", "airflow config lint", found["lint"])
    rows += _findings("plugins", "imported with it", found["code"])
    errors = [f"{file}: {text}" for file, text in found["errors"].items()]
    rows += _findings("dags", f"{found['dags']} files imported with it", errors)
    rows += [("", "as before", f"{file}: {text}") for file, text in found["known_errors"].items()]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return [f"{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}".rstrip() for row in rows]


def _findings(subject: str, how: str, found: Sequence[str]) -> list[tuple[str, str, str]]:
    return [(subject, how, found[0] if found else "nothing found"), *(("", "", each) for each in found[1:])]
