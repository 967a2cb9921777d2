# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that turn a slice of the cluster model into file contents, digests and numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import airflow_options as catalogue
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import (
    addresses,
    airflow,
    files,
    leftovers,
    survey,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import Secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import (
    AirflowNode,
    Node,
    OwnFile,
    Queue,
    secret_file,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import (
    airflow_cfg,
    digests,
    environment,
    secrets,
    worker_units,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import airflow_options, removal


def bundle_variables(bundles: Iterable[Mapping[str, object]], values: Mapping[str, object]) -> dict[str, str]:
    """The variables of the environment with the connections of ``bundles``. Raises KeyError for a missing secret."""
    known = Secrets.from_vars(values)
    names = [str(bundle["variable"]) for bundle in bundles if bundle["variable"]]
    return {name: known[files.variable_secret(name)] for name in names}


def code_files(component: str, node: object) -> list[str]:
    """Paths of the code whose content changes what ``component`` loads, on a host with this ``node``."""
    return files.code_files(component, AirflowNode.from_vars(node).code)


def environment_files(node: object, values: Mapping[str, object], group: str) -> list[dict[str, object]]:
    """The environment of each component of ``node`` as the module ``config_files`` takes it, for root and
    ``group``."""
    return environment.component_files(AirflowNode.from_vars(node), Secrets.from_vars(values), group)


def environment_versions(node: object, values: Mapping[str, object]) -> dict[str, str]:
    """A fingerprint of the secret environment of each component of ``node`` that has one."""
    return environment.environment_versions(AirflowNode.from_vars(node), Secrets.from_vars(values))


def former_services(present: Iterable[str], node: object, run: Iterable[str], skipped: Iterable[str]) -> list[str]:
    """Names of the backing services ``present`` that a host with this ``node`` does not have any more, unless the tags
    of the run, ``run`` and ``skipped``, select a part of the deployment."""
    return leftovers.former_services(present, Node.from_vars(node), run, skipped)


def former_accounts(present: Iterable[str], node: object) -> list[str]:
    """The accounts of components that ``node`` does not have, and that left any of the paths ``present`` on a host."""
    return leftovers.former_accounts(present, Node.from_vars(node))


def former_files(present: Iterable[str], own: Iterable[str], node: object) -> list[str]:
    """Those of the paths ``present`` on a host that its ``node`` does not need, ``own`` among them."""
    return leftovers.former_files(present, own, Node.from_vars(node))


def own_file(file: object, group: str) -> dict[str, object]:
    """A ``file`` of the user's as the module ``config_files`` takes it, for root and ``group``."""
    return environment.own_file(OwnFile.from_vars(file), group)


def own_paths(node: object) -> list[str]:
    """Paths on a host of all that the user adds to ``node``."""
    return files.paths(Node.from_vars(node).airflow)


def secret_content(file: object, values: Mapping[str, object]) -> str:
    """The content of a secret ``file``, without a newline at its end. Raises KeyError for a missing secret."""
    return secrets.content(secret_file(file), Secrets.from_vars(values))


def secret_files(files: Iterable[object], values: Mapping[str, object], group: str) -> list[dict[str, str]]:
    """The secret ``files`` as the module ``config_files`` takes them, for root and ``group``."""
    return secrets.secret_files(map(secret_file, files), Secrets.from_vars(values), group)


def secret_versions(files: Iterable[object], values: Mapping[str, object]) -> dict[str, str]:
    """A fingerprint of the content of each of the ``files``, by name."""
    return secrets.secret_versions(map(secret_file, files), Secrets.from_vars(values))


def worker_instances(
    queues: Iterable[object], major: int, address: str, derived: int, remote_control: bool
) -> list[dict[str, str]]:
    """The unit's name and the command of the worker service of each of ``queues``."""
    return worker_units.worker_instances(map(Queue.from_vars, queues), major, address, derived, remote_control)


def unknown_options(
    known: str, config: Mapping[str, Any], environment: Mapping[str, Any], extra_sections: Iterable[str]
) -> list[str]:
    """Problems with options that the release does not know, of which ``known`` is its own list."""
    own = catalogue.parse(known)
    return [str(problem) for problem in airflow_options.check_names(config, environment, extra_sections, own)]


def without_airflow(node: Mapping[str, object]) -> dict[str, object]:
    """``node``, a host's share of the model, as it would be without any component of Airflow."""
    return {**{name: value for name, value in node.items() if name not in ("airflow", "dags")}, "components": []}


class FilterModule:
    """The filters of this file by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {
            "airflow_cfg": airflow_cfg.render_config,
            "bundle_variables": bundle_variables,
            "code_files": code_files,
            "component_digest": digests.component_digest,
            "component_unit": airflow.unit_of,
            "component_unit_patterns": airflow.unit_patterns,
            "environment_file": environment.environment_file,
            "environment_files": environment_files,
            "environment_versions": environment_versions,
            "fingerprint": digests.fingerprint,
            "former_accounts": former_accounts,
            "former_files": former_files,
            "former_services": former_services,
            "former_units": leftovers.former_units,
            "lacks_room_for_logs": survey.lacks_room_for_logs,
            "own_file": own_file,
            "own_paths": own_paths,
            "resolved": addresses.resolved,
            "release_id": digests.release_id,
            "secret_content": secret_content,
            "secret_files": secret_files,
            "secret_mounts": airflow.secret_mounts,
            "secret_versions": secret_versions,
            "traces": removal.traces,
            "unknown_options": unknown_options,
            "with_certificates": secrets.with_certificates,
            "with_processors": airflow_cfg.with_processors,
            "without_airflow": without_airflow,
            "worker_concurrency": worker_units.worker_concurrency,
            "worker_instances": worker_instances,
        }
