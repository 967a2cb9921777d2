# Copyright the flightdeck.airflow contributors
# Apache-2.0 (see LICENSE)
"""Controller side of the module cluster_certificates: stores the cluster's CA and its hosts' certificates."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.modules.cluster_certificates import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import certificates, vault_file
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments

_HEADER = "# Private keys of the cluster's CA and hosts. Store a copy with your backups.\n"


def plain(value: Any) -> Any:
    """``value`` without what Ansible attaches to texts, which cannot be written as YAML."""
    if isinstance(value, dict):
        return {str(name): plain(entry) for name, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, list) else str(value)


class ActionModule(ActionBase):
    """See plugins/modules/cluster_certificates.py for the documentation."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the CA and the certificates. Raises AnsibleActionFail when the file cannot be used."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        wanted = arguments(self, DOCUMENTATION)
        path = Path(wanted["path"]).expanduser()
        made: dict[str, str] = {}

        def renewed() -> certificates.Keystore:
            nonlocal made
            keystore, made = certificates.renew(
                self._read(path),
                wanted["cluster"],
                plain(wanted["names"]),
                datetime.datetime.now(datetime.UTC),
                wanted["days"],
                wanted["renew_days"],
            )
            return keystore

        keystore = renewed()
        if made and not self._task.check_mode:
            with vault_file.locked(path):
                # Another run may have been quicker.
                keystore = renewed()
                vault_file.write(self._loader, path, keystore, _HEADER)
        result["made"] = made
        result["changed"] = bool(made)
        web = self._web(wanted["web_certificate_file"], wanted["web_key_file"])
        result["certificates"] = {"ca": keystore["ca"]["certificate"], "hosts": keystore["hosts"], "web": web}
        if wanted["ca_file"] and not self._task.check_mode:
            self._publish(Path(wanted["ca_file"]).expanduser(), keystore["ca"]["certificate"])
        return result

    def _read(self, path: Path) -> dict[str, Any]:
        content = vault_file.read(self._loader, path) or {}
        if not isinstance(content, dict) or content.keys() - {"ca", "hosts"}:
            raise AnsibleActionFail(
                f"{path} is not a file of certificates; move it away or set airflow_certificates_file"
            )
        return dict(plain(content))

    @staticmethod
    def _web(certificate_file: str, key_file: str) -> dict[str, str]:
        """The user's own certificate and key, which the validation found good; empty when there is none."""
        if not certificate_file:
            return {}
        certificate, key = (
            Path(name).expanduser().read_text(encoding="utf-8").rstrip() + "\n" for name in (certificate_file, key_file)
        )
        return {"certificate": certificate, "key": key}

    @staticmethod
    def _publish(path: Path, certificate: str) -> None:
        if not path.exists() or path.read_text(encoding="utf-8") != certificate:
            path.write_text(certificate, encoding="utf-8")
