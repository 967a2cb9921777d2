# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's plugins and modules on the controller, as one tree that is shipped to the hosts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import dag_archive
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.files import CODE_PARTS, DIGEST_SUFFIX
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem


def tree(sources: Mapping[str, str]) -> dag_archive.Tree:
    """The directories ``sources`` of the parts of the code, each below the name of its part, with a digest beside it.

    A part whose source is empty is not there. Raises TreeError for what cannot be shipped.
    """
    whole = dag_archive.Tree("")
    for part in CODE_PARTS:
        if source := os.path.expanduser(sources.get(part, "")):
            found = dag_archive.scan(source)
            for relative, entry in found.entries.items():
                path = f"{part}/{relative}"
                whole.entries[path] = replace(entry, path=path)
                if entry.kind == "file":
                    with open(os.path.join(found.root, relative), "rb") as stream:
                        whole.generated[path] = stream.read()
            _add(whole, f"{part}{DIGEST_SUFFIX}", found.digest())
    return whole


def _add(whole: dag_archive.Tree, path: str, text: str) -> None:
    content = f"{text}\n".encode()
    whole.generated[path] = content
    whole.entries[path] = dag_archive.Entry(path, "file", hashlib.sha256(content).hexdigest())


def check(settings: Settings) -> list[Problem]:
    """Problems of the directories of the code of a cluster with these ``settings``."""
    problems = []
    for part in CODE_PARTS:
        variable = f"airflow_{part}_dir"
        source = str(getattr(settings, f"{part}_dir"))
        try:
            tree({part: source})
        except dag_archive.TreeError as error:
            found = (
                str(error).removeprefix(f"{dag_archive.VARIABLE}: ").removesuffix(". No host was changed by this task.")
            )
            expected = "a directory on the controller that can be shipped as it is"
            problems.append(Problem(Code.FD255, variable, found, expected, "Nothing was changed on any host."))
    folder = settings.options.get("core", {}).get("plugins_folder")
    if settings.plugins_dir and folder:
        where = "airflow_config.core.plugins_folder"
        problems.append(Problem(Code.FD255, where, "a value, and airflow_plugins_dir", "one of the two", "Remove one."))
    return problems
