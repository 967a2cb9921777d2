# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Airflow lists after DAG files were switched: the DAGs, and the files that it could not import."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping

from ansible_collections.flightdeck.airflow.plugins.module_utils._airflow_api import Api, ApiError


def listed(api: Api) -> set[str]:
    """DAGs that Airflow lists as there."""
    return {str(dag["dag_id"]) for dag in api.get_all("/dags", "dags")}


def import_errors(api: Api, root: str, bundle: str) -> dict[str, str]:
    """The last line of each import error of files below ``root``, or of ``bundle`` where Airflow has bundles."""
    found = {}
    for error in api.get_all("/importErrors", "import_errors"):
        if error.get("bundle_name", bundle) == bundle:
            lines = [line for line in str(error["stack_trace"]).splitlines() if line.strip()]
            found[os.path.relpath(os.path.join(root, str(error["filename"])), root)] = lines[-1] if lines else ""
    return found


def wait(
    api: Api,
    added: Collection[str],
    removed: Collection[str],
    sleep: Callable[[float], None],
) -> dict[str, list[str]]:
    """What Airflow does not list yet, and what it still lists, when the deadline of ``api`` ends."""
    while True:
        there = listed(api)
        missing = {"missing": sorted(set(added) - there), "left": sorted(set(removed) & there)}
        if not any(missing.values()) or not api.deadline.left():
            return missing
        sleep(1.0)


def problem(api: Api, missing: Mapping[str, list[str]], errors: Mapping[str, str], known: Collection[str]) -> str:
    """What is wrong after a switch, in words; empty for nothing."""
    caused = {file: text for file, text in errors.items() if file not in known}
    parts = [f"import error: {file}, {text}" for file, text in sorted(caused.items())]
    parts += [f"{name} is not listed after {api.deadline.seconds:.0f} s" for name in missing["missing"]]
    parts += [f"{name} is still listed after {api.deadline.seconds:.0f} s" for name in missing["left"]]
    return "; ".join(parts)


def check(
    api: Api,
    added: Collection[str],
    removed: Collection[str],
    known_errors: Collection[str],
    place: tuple[str, str],
    sleep: Callable[[float], None],
) -> str:
    """Wait until Airflow lists DAGs that were ``added`` and no longer those ``removed``; what is wrong then, in words.

    ``place`` is the directory of the DAGs and its bundle.
    """
    try:
        api.login()
        missing = wait(api, added, removed, sleep)
        return problem(api, missing, import_errors(api, *place), known_errors)
    except ApiError as error:
        return str(error)
