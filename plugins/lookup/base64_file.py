# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the controller in base64."""

from __future__ import annotations

DOCUMENTATION = r"""
name: base64_file
short_description: The content of a file on the controller in base64
version_added: 0.2.0
description:
  - Reads files that need not be text, in clear or encrypted with ansible-vault. P(ansible.builtin.file#lookup)
    and P(ansible.builtin.unvault#lookup) take text only.
author: Flightdeck contributors (@flightdeck)
options:
  _terms:
    description: Paths of files.
    type: list
    elements: path
    required: true
"""

EXAMPLES = r"""
- name: Copy a keytab
  flightdeck.airflow.config_files:
    files:
      - path: /etc/krb5.keytab
        content: "{{ lookup('flightdeck.airflow.base64_file', '/srv/files/host.keytab') | b64decode }}"
        mode: "0400"
        secret: true
"""

RETURN = r"""
_raw:
  description: The contents.
  type: list
  elements: str
"""

import base64
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import files


class LookupModule(LookupBase):
    """See DOCUMENTATION."""

    def run(self, terms: list[str], *_arguments: Any, **_options: Any) -> list[str]:
        """The contents. Raises AnsibleLookupError."""
        found = []
        for path in terms:
            try:
                found.append(base64.b64encode(files.content(self._loader, path)).decode())
            except OSError as error:
                raise AnsibleLookupError(f"{path}: {error}") from error
        return found
