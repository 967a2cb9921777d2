# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of the module cluster_secrets: makes each secret once and keeps it in the inventory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.modules.cluster_secrets import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.secrets import GENERATED, GIVEN
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import secrets, secrets_file, vault_file
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.refusal import refuse
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.variables import Variables
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import accounts, bundles, files, remote_logs
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.identity import Identity
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import identity

# Variables of the user's that are, or become, secret files and variables of the environment.
_OWN = ("dag_bundles", "remote_logs", "remote_logs_connection", "secret_environment", "secret_files")


class ActionModule(ActionBase):
    """See plugins/modules/cluster_secrets.py for the documentation."""

    TRANSFERS_FILES = False

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return all secrets by name. Raises AnsibleActionFail when the file cannot be used."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        wanted = arguments(self, DOCUMENTATION)
        path = Path(os.path.expanduser(wanted["path"]))
        cluster = Identity.from_vars(wanted["identity"], "identity")
        known = Variables(self, task_vars or {})
        given = {name: str(value) for name, value in self._named(known, GENERATED)}
        content, result["changed"] = self._completed(path, given, cluster)
        if result["changed"] and not self._task.check_mode:
            with vault_file.locked(path):
                # Another run can have written it meanwhile, and nothing is made twice.
                content, changed = self._completed(path, given, cluster)
                if changed:
                    secrets_file.write(self._loader, path, content)
        external = {name: str(value) for name, value in content.values.items() if name in GIVEN}
        external |= {name: str(value) for name, value in self._named(known, GIVEN)}
        values = {**{name: value for name, value in content.values.items() if name in GENERATED}, **given}
        own = dict(known.given(f"airflow_{name}" for name in _OWN))
        variables = remote_logs.variables(
            str(own.get("airflow_remote_logs", "")), own.get("airflow_remote_logs_connection", {})
        )
        variables |= bundles.variables(own.get("airflow_dag_bundles", []))
        own_values = files.values(
            own.get("airflow_secret_files", {}), {**variables, **own.get("airflow_secret_environment", {})}
        )
        result["encrypted"] = not path.exists() or vault_file.encrypted(path)
        result["secrets"] = {**accounts.effective(values, content.rotation).to_vars(), **external, **own_values}
        return result

    @staticmethod
    def _named(known: Variables, names: Iterable[str]) -> Iterator[tuple[str, Any]]:
        """Those of the secrets ``names`` that variables of the cluster's hosts give, with their values."""
        for name, value in known.given(f"{secrets_file.PREFIX}{name}" for name in names):
            yield name.removeprefix(secrets_file.PREFIX), value

    def _completed(self, path: Path, given: dict[str, str], cluster: Identity) -> tuple[secrets_file.Content, bool]:
        """What the file is to hold, with new values for secrets that it and ``given`` lack; whether it holds less."""
        present = secrets_file.read(self._loader, path)
        # The validation found the same, unless another run has written the file since.
        refuse(identity.check("airflow_secrets_file", path, secrets_file.CLUSTER, present.cluster, cluster))
        values = {**secrets.missing({**present.values, **given}), **present.values}
        # A file is not made for its cluster's name alone.
        content = replace(present, values=values, cluster=cluster.seen_from(path) if values else None)
        return content, content != present
