# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user adds to the hosts for components: files, secret files, variables of the environment."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import (
    CODE_DIR,
    DAG_BUNDLES_RECORD,
    ENVIRONMENT_DIR,
    FILES_DIR,
    SECRETS_DIR,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import COMPONENTS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import (
    AirflowNode,
    Code,
    OwnFile,
    PlainValue,
    UnitLines,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host

# Directives of [Unit]; all others are of [Service].
UNIT_DIRECTIVES = re.compile(
    "After|Before|Wants|Requires|Requisite|BindsTo|PartOf|Upholds|Conflicts|OnFailure|OnSuccess|Documentation"
    "|RequiresMountsFor|WantsMountsFor|(Condition|Assert)[A-Za-z]+"
)
# Directories of the user's code, and what is added to their names for the file with their digest.
CODE_PARTS = ("plugins", "python")
DIGEST_SUFFIX = ".digest"
# What the names of the user's secrets begin with among the secrets of the cluster.
_FILE, _VARIABLE = "file:", "variable:"


def readers(entry: object) -> tuple[str, ...]:
    """The components that ``entry`` names: all of them when it names none. Names that do not exist count as none."""
    names = entry.get("components") if isinstance(entry, Mapping) else None
    return tuple(name for name in COMPONENTS if not isinstance(names, list) or name in names)


def target(path: object) -> str:
    """The path on the host of a file whose ``path`` is below the directory of the user's files, or in it."""
    return posixpath.normpath(posixpath.join(FILES_DIR, str(path)))


def is_template(entry: Mapping[str, object]) -> bool:
    """Whether the source in ``entry``, a file, is a template."""
    return bool(entry.get("template", str(entry.get("src") or "").endswith(".j2")))


def files_of(value: object) -> tuple[OwnFile, ...]:
    """The files that ``value`` of ``airflow_files`` names. What has another form is left out: a check reports it."""
    entries = [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []
    return tuple(
        OwnFile(
            path=target(entry.get("path", "")),
            src=str(entry.get("src") or ""),
            content=str(entry.get("content") or ""),
            template=is_template(entry),
            mode=str(entry.get("mode", "0640")),
            components=readers(entry),
        )
        for entry in entries
    )


def secret_value(entry: object) -> str:
    """The value of an ``entry`` of the user's secrets: text, or a dictionary with text."""
    return str(entry.get("value", "") if isinstance(entry, Mapping) else entry)


def values(files: Mapping[str, object], variables: Mapping[str, object]) -> dict[str, str]:
    """The values of the user's secret ``files`` and ``variables`` by their names among the secrets of the cluster."""
    return {
        **{f"{_FILE}{name}": secret_value(entry) for name, entry in files.items()},
        **{f"{_VARIABLE}{name}": secret_value(entry) for name, entry in variables.items()},
    }


def by_component(entries: Mapping[str, object], components: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Names of those ``entries`` that each of the ``components`` reads; without the components that read none."""
    found = {
        component: tuple(sorted(name for name, entry in entries.items() if component in readers(entry)))
        for component in components
    }
    return {component: names for component, names in found.items() if names}


def environments(host: Host, computed: Mapping[str, Mapping[str, object]]) -> dict[str, dict[str, object]]:
    """What the components of ``host`` have in their environment besides the common variables: what is ``computed`` for
    them, and what the user gives."""
    found: dict[str, dict[str, object]] = {}
    for component in host.components:
        given = host.component_environment.get(component)
        own = {"TMPDIR": host.worker_tmp_dir} if component == "worker" and host.worker_tmp_dir else {}
        if variables := {**own, **computed.get(component, {}), **(given if isinstance(given, Mapping) else {})}:
            found[component] = variables
    return found


def unit_lines(options: Mapping[str, object], components: Iterable[str]) -> dict[str, UnitLines]:
    """The lines of units that the directives in ``options`` make, by those of the ``components`` that have any."""
    found = {}
    for component in components:
        given = options.get(component)
        lines: dict[bool, list[str]] = {True: [], False: []}
        for name, value in given.items() if isinstance(given, Mapping) else ():
            of_unit = bool(UNIT_DIRECTIVES.fullmatch(str(name)))
            lines[of_unit] += [f"{name}={_directive(one)}" for one in (value if isinstance(value, list) else [value])]
        if any(lines.values()):
            found[component] = UnitLines(unit=tuple(lines[True]), service=tuple(lines[False]))
    return found


def _directive(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def secret_files(names: Iterable[str]) -> tuple[PlainValue, ...]:
    """The secret files with these ``names``."""
    return tuple(PlainValue(file=name, secret=f"{_FILE}{name}") for name in names)


def variable_secret(name: str) -> str:
    """Name among the secrets of the cluster of the user's secret variable ``name``."""
    return f"{_VARIABLE}{name}"


def environment_file(component: str, *, secret: bool) -> str:
    """Path of the file with the environment, the ``secret`` one or the other, that ``component`` has besides the common
    one."""
    return f"{ENVIRONMENT_DIR}/{component}{'.secret' if secret else ''}"


def code_path(part: str) -> str:
    """Path on a host of a ``part`` of the user's code, plugins or python."""
    return f"{CODE_DIR}/current/{part}"


def code_files(component: str, code: Code | None) -> list[str]:
    """Files on a host whose content changes with the ``code`` that ``component`` loads. Flower loads no plugins."""
    parts = [] if code is None else [part for part in CODE_PARTS if getattr(code, part)]
    return [f"{code_path(part)}{DIGEST_SUFFIX}" for part in parts if component != "flower" or part != "plugins"]


def paths(node: AirflowNode | None) -> list[str]:
    """Paths on a host of all that the user adds to ``node``, its share of the model."""
    return sorted(set(_paths(node))) if node else []


def _paths(node: AirflowNode) -> Iterator[str]:
    yield from (file.path for file in node.files)
    yield from ([node.code.path] if node.code else [])
    yield from (f"{SECRETS_DIR}/{name}" for names in node.own_secrets.values() for name in names)
    yield from ([node.login.passwords_file] if node.login and node.login.passwords_file else [])
    yield from ([DAG_BUNDLES_RECORD] if node.dag_bundles else [])
    yield from (environment_file(component, secret=False) for component in node.environments)
    yield from (environment_file(component, secret=True) for component in node.secret_environments)
