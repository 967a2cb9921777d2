# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of the module support_bundle: hides secrets in what the host sends, and writes it."""

from __future__ import annotations

import base64
import json
import os
import zlib
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.flightdeck.airflow.plugins.modules.support_bundle import DOCUMENTATION
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import masking
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.arguments import arguments
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.guard import guarded
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller.variables import Variables, settings


class ActionModule(ActionBase):
    """See plugins/modules/support_bundle.py for the documentation."""

    _supports_check_mode = True

    @guarded
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write the files of this host below the directory, which only the user of the controller may read."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = arguments(self, DOCUMENTATION)
        variables = task_vars or {}
        host = str(variables["inventory_hostname"])
        sent = self._execute_module(module_args=given, task_vars=variables)
        packed = sent.pop("packed", "")
        if not packed:
            return {**result, **sent}
        mask = masking.Mask(self._secrets(host, variables))
        texts = json.loads(zlib.decompress(base64.b64decode(packed)))
        notes = [mask.hide(note) for note in sent["notes"]]
        result.update(changed=False, files=len(texts), notes=notes)
        if self._task.check_mode:
            return result
        folder = Path(os.path.abspath(os.path.expanduser(given["dest"]))) / host
        for path, text in {**texts, "notes.txt": "".join(f"{note}\n" for note in notes)}.items():
            file = folder / path
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.write_text(mask.hide(text), encoding="utf-8")
        return result

    def _secrets(self, host: str, variables: dict[str, Any]) -> dict[str, str]:
        """Every secret that the controller knows, by name."""
        known = Variables(self, variables)
        specs = settings()
        raw = known.raw(host)
        own = {name: known.leaves(host, name)[0] for name, spec in specs.items() if spec.get("no_log") and name in raw}
        return {
            **masking.of_inventory(own, specs),
            **masking.of_cluster(
                variables["airflow_cluster"], variables["airflow_secrets"], variables["airflow_certificates"]
            ),
        }
