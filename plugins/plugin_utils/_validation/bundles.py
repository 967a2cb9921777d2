"""Checks of the DAG bundles of Airflow 3: their form, and what they need on the hosts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.merge import data
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.options import GivenOption
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem

_OPTION = "dag_processor.dag_bundle_config_list"
_LOCAL = "airflow.dag_processing.bundles.local.LocalDagBundle"
_GIT = "airflow.providers.git."
# Airflow gives it to its own examples.
_RESERVED = "example_dags"


def check(
    options: Iterable[GivenOption], dags_folder: str, system_packages: Iterable[str], *, parses_dags: bool
) -> list[Problem]:
    """Problems of the bundles among the ``options`` of a host, whose DAGs are in ``dags_folder``.

    A host that ``parses_dags`` needs the programs of its bundles among its ``system_packages``.
    """
    given = next((one for one in options if one.name == _OPTION), None)
    bundles = data(given.value) if given else None
    if given is None or not isinstance(bundles, list):
        # No list is another check's.
        return []
    if fault := _fault(bundles):
        expected = "a list of {name: ..., classpath: ..., kwargs: {...}}, each name once"
        return [Problem(Code.FD135, given.where, fault, expected, "Correct it: Airflow would not start.")]
    problems = []
    if not any(_is_dags_folder(bundle, dags_folder) for bundle in bundles):
        remedy = (
            f"Add {{name: dags-folder, classpath: {_LOCAL}, kwargs: {{}}}}: without it Airflow reads neither "
            "airflow_dags_dir nor the DAG of verify.yml."
        )
        problems.append(
            Problem(Code.FD147, given.where, "no bundle of the DAGs that the collection ships", "one", remedy)
        )
    names = {re.split("[:=]", package, maxsplit=1)[0] for package in system_packages}
    if parses_dags and "git" not in names and any(str(bundle["classpath"]).startswith(_GIT) for bundle in bundles):
        expected = "the Debian package git on hosts with DAG processors or workers"
        remedy = "Add git to airflow_system_packages."
        problems.append(Problem(Code.FD173, given.where, "a bundle that calls git", expected, remedy))
    return problems


def _fault(bundles: list[object]) -> str:
    """What Airflow would refuse in ``bundles``; empty for nothing."""
    seen: set[str] = set()
    for number, bundle in enumerate(bundles, 1):
        if not isinstance(bundle, Mapping):
            return f"entry {number}, which is no dictionary"
        name = bundle.get("name")
        for key in ("name", "classpath"):
            if not isinstance(bundle.get(key), str) or not bundle[key]:
                return f"entry {number} without a {key}"
        if not isinstance(bundle.get("kwargs"), Mapping):
            return f"{name!r} without kwargs as a dictionary"
        if name == _RESERVED:
            return f"the name {_RESERVED!r}, which Airflow keeps for itself"
        if name in seen:
            return f"{name!r} twice"
        seen.add(str(name))
    return ""


def _is_dags_folder(bundle: Mapping[str, object], dags_folder: str) -> bool:
    kwargs = bundle["kwargs"]
    path = kwargs.get("path") if isinstance(kwargs, Mapping) else None
    return bundle["classpath"] == _LOCAL and (path is None or str(path).rstrip("/") == dags_folder.rstrip("/"))
