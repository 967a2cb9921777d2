# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of the module cluster_certificates: stores the cluster's CA and its hosts' certificates."""

from __future__ import annotations

import datetime
import os
import stat
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.modules.cluster_certificates import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import (
    certificates,
    certificates_file,
    vault_file,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.refusal import refuse
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.identity import Identity
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import identity


class ActionModule(ActionBase):
    """See plugins/modules/cluster_certificates.py for the documentation."""

    TRANSFERS_FILES = False

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the CA and the certificates. Raises AnsibleActionFail when the file cannot be used."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        wanted = arguments(self, DOCUMENTATION)
        path = Path(os.path.expanduser(wanted["path"]))
        cluster = Identity.from_vars(wanted["identity"], "identity")
        made: dict[str, str] = {}

        def renewed() -> tuple[certificates.Keystore, bool]:
            """What the file is to hold, and whether it holds anything else."""
            nonlocal made
            present, whose = certificates_file.read(self._loader, path)
            # The validation found the same, unless another run has written the file since.
            refuse(identity.check("airflow_certificates_file", path, certificates_file.CLUSTER, whose, cluster))
            names = certificates_file.plain(wanted["names"])
            now = datetime.datetime.now(datetime.UTC)
            keystore, made = certificates.renew(
                present or {}, cluster.name, names, now, wanted["days"], wanted["renew_days"]
            )
            left = bool(present and present["hosts"].keys() - keystore["hosts"].keys())
            return keystore, bool(made) or left or whose != cluster.seen_from(path)

        keystore, changed = renewed()
        if changed and not self._task.check_mode:
            with vault_file.locked(path):
                # Another run may have been quicker.
                keystore, changed = renewed()
                if changed:
                    certificates_file.write(self._loader, path, keystore, cluster.seen_from(path))
        result["made"] = made
        result["changed"] = changed
        web = self._web(wanted["web_certificate_file"], wanted["web_key_file"])
        result["certificates"] = {"ca": keystore["ca"]["certificate"], "hosts": keystore["hosts"], "web": web}
        if wanted["ca_file"] and not self._task.check_mode:
            self._publish(Path(os.path.expanduser(wanted["ca_file"])), keystore["ca"]["certificate"])
        return result

    @staticmethod
    def _web(certificate_file: str, key_file: str) -> dict[str, str]:
        """The user's own certificate and key, which the validation found good; empty when there is none."""
        if not certificate_file:
            return {}
        certificate, key = (
            Path(os.path.expanduser(name)).read_text(encoding="utf-8").rstrip() + "\n"
            for name in (certificate_file, key_file)
        )
        return {"certificate": certificate, "key": key}

    @staticmethod
    def _publish(path: Path, certificate: str) -> None:
        """Write the certificate for all to read and the user alone to write: who imports it trusts its content."""
        right = (
            path.exists()
            and path.read_text(encoding="utf-8") == certificate
            and stat.S_IMODE(path.stat().st_mode) == vault_file.PUBLIC
        )
        if not right:
            vault_file.write_public(path, certificate)
