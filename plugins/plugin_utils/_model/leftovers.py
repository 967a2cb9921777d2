# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units and files on a host of components, modes and servers that it had before."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import MODES, PROGRAMS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.paths import (
    LDAP_LINKS,
    PYTHON_DIR,
    SECRETS_DIR,
    WEBSERVER_CONFIG,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import (
    BACKING_SERVICES,
    COMPONENT,
    COMPONENTS,
    MAJORS,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import files
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.airflow import (
    mode_files,
    secrets_of,
    unit_patterns,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Node


def former_units(present: Iterable[str], components: Iterable[str]) -> list[str]:
    """Those of the units ``present`` on a host whose component is not among its ``components`` any more."""
    patterns = {pattern for name in set(COMPONENTS) - set(components) for pattern in unit_patterns(name)}
    return sorted(name for name in present if any(fnmatch.fnmatch(name, pattern) for pattern in patterns))


def former_files(present: Iterable[str], own: Iterable[str], node: Node) -> list[str]:
    """Those of the paths ``present`` on a host that its ``node`` does not need.

    What the roles never make is not among them; ``own`` is what they made of the user's at any time.
    """
    ever = {name for major in MAJORS for component in COMPONENTS for name in secrets_of(component, major)}
    ever |= {name for major in MAJORS for mode in MODES for name in mode_files(mode, major)}
    needed = {secret.file for secret in node.airflow.secrets} if node.airflow else set()
    programs = {wrapper.program for wrapper in node.airflow.wrappers.values()} if node.airflow else set()
    login = node.airflow.login if node.airflow else None
    former = {f"{SECRETS_DIR}/{name}" for name in ever - needed} | (set(PROGRAMS) - programs)
    former |= {path for name in set(COMPONENTS) - set(node.components) for path in COMPONENT[name].files}
    former |= set() if login else {WEBSERVER_CONFIG}
    former |= set() if login and login.kind == "ldap" else {f"{PYTHON_DIR}/{name}" for name in LDAP_LINKS}
    # A secret file of the user's may have become one of ours.
    left = set(own) - set(files.paths(node.airflow)) - {f"{SECRETS_DIR}/{name}" for name in needed}
    return sorted(former.intersection(present) | left)


def former_accounts(present: Iterable[str], node: Node) -> list[str]:
    """The accounts of components that its ``node`` does not have, and that left any of the paths ``present`` on a
    host."""
    former = (COMPONENT[name] for name in COMPONENTS if name not in node.components)
    present = set(present)
    return [each.account for each in former if each.account and present.intersection(each.files)]


def former_services(present: Iterable[str], node: Node, run: Iterable[str], skipped: Iterable[str]) -> list[str]:
    """Those of the backing services ``present`` on a host that its ``node`` does not have any more; what stands on
    others first.

    None in a run whose tags, ``run`` and ``skipped``, select a part of the deployment: the other parts may use them.
    """
    if "all" not in run or {service.tag or service.name for service in BACKING_SERVICES}.intersection(skipped):
        return []
    # pgBackRest also runs where PostgreSQL sends its write-ahead log to the repository.
    needed = node.services | ({"backup"} if node.metastore and node.metastore.archive else set())
    former = set(present) - needed
    return [service.name for service in reversed(BACKING_SERVICES) if service.name in former]
