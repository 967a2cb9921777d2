# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment files that systemd and a shell read alike, and the user's files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import files
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.accounts import Secrets
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import AirflowNode, OwnFile
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render.digests import fingerprint


def environment_file(variables: Mapping[str, Any]) -> str:
    """``NAME="value"`` lines, sorted.

    Inside double quotes both readers take a backslash before ``"``, ``\\``, ``$`` and `````.
    """
    lines = []
    for name in sorted(variables):
        value = str(variables[name])
        for special in ("\\", '"', "$", "`"):
            value = value.replace(special, "\\" + special)
        lines.append(f'{name}="{value}"\n')
    return "".join(lines)


def secret_environment(names: Iterable[str], secrets: Secrets) -> str:
    """An environment file with the user's secret variables ``names``. Raises KeyError for a missing one."""
    return environment_file({name: secrets[files.variable_secret(name)] for name in names})


def component_files(node: AirflowNode, secrets: Secrets, group: str) -> list[dict[str, object]]:
    """The files with the environments of single components as the module ``config_files`` takes them.

    Of the secret ones only root, and so systemd, is a reader.
    """
    plain: list[dict[str, object]] = [
        {
            "path": files.environment_file(component, secret=False),
            "content": environment_file(variables),
            "group": group,
            "mode": "0640",
        }
        for component, variables in node.environments.items()
    ]
    return plain + [
        {
            "path": files.environment_file(component, secret=True),
            "content": secret_environment(names, secrets),
            "mode": "0600",
            "secret": True,
        }
        for component, names in node.secret_environments.items()
    ]


def own_file(file: OwnFile, group: str) -> dict[str, object]:
    """A ``file`` of the user's as the module ``config_files`` takes it, readable by root and ``group``."""
    source = {"src": file.src, "template": file.template} if file.src else {"content": file.content}
    return {"path": file.path, "group": group, "mode": file.mode, **source}


def environment_versions(node: AirflowNode, secrets: Secrets) -> dict[str, str]:
    """Fingerprint of the secret environment of each component of ``node`` that has one."""
    return {
        component: fingerprint(secret_environment(names, secrets), secrets["digest_key"])
        for component, names in node.secret_environments.items()
    }
