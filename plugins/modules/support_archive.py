#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: support_archive
short_description: Pack what M(flightdeck.airflow.support_bundle) has collected into one archive
version_added: 0.1.0
description:
  - Packs a directory on the controller into an archive that only the user of the controller may read, with a list of
    the hosts and of what is missing, and removes the directory.
  - Runs on the controller and needs no connection to any host. Use it with C(run_once).
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.changes
options:
  src:
    description: The directory, O(flightdeck.airflow.support_bundle#module:dest).
    type: path
    required: true
  dest:
    description: The archive, a file whose name ends with C(.tar.gz).
    type: path
    required: true
  from_hosts:
    description: Name of the variable that the M(flightdeck.airflow.support_bundle) task registered.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Pack the support bundle
  flightdeck.airflow.support_archive:
    src: /tmp/support
    dest: /tmp/support.tar.gz
    from_hosts: support_bundle
  run_once: true
"""

RETURN = r"""
lines:
  description: What the archive has of each host, and what it has not.
  type: list
  elements: str
  returned: success
"""
