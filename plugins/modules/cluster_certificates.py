# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin cluster_certificates."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_certificates
short_description: Create the CA of a cluster and the certificates of its hosts
version_added: 0.1.0
description:
  - Runs on the controller only. Creates a CA once and one certificate per host. Renews the certificate of a host before
    it expires, when the host's names change, or when another CA signed it.
  - Keys and certificates stay in O(path), encrypted when Ansible has a vault password, else with mode 0600 and a
    C(.gitignore) beside it. One execution serves all hosts, which is why it signs by itself instead of running a module
    per host and step.
  - Use C(no_log) on the task, because it returns the keys.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.secrets
options:
  path:
    description: File on the controller that holds the CA, keys and certificates.
    type: path
    required: true
  ca_file:
    description: File on the controller that gets the certificate of the CA, for browsers and API clients.
    type: path
  identity:
    description: Which cluster it is, as M(flightdeck.airflow.cluster_model) returns it. A file of another cluster is
      refused.
    type: dict
    required: true
  names:
    description: For each host that needs a certificate the names and addresses that it proves.
    type: dict
    required: true
  days:
    description: Days that a new certificate is valid.
    type: int
    required: true
  renew_days:
    description: A certificate that is valid for fewer days than this is renewed.
    type: int
    required: true
  web_certificate_file:
    description: PEM file on the controller with the certificate that users see, and its chain. Empty means the load
      balancers' own.
    type: path
    default: ''
  web_key_file:
    description: PEM file with its private key.
    type: path
    default: ''
"""

EXAMPLES = r"""
- name: Create certificates that are missing or end soon
  flightdeck.airflow.cluster_certificates:
    path: "{{ model.controller.certificates_file }}"
    identity: "{{ model.identity }}"
    names:
      lb1: [lb1, 192.0.2.10]
    days: 365
    renew_days: 60
  run_once: true
  no_log: true
"""

RETURN = r"""
certificates:
  description: The CA's certificate as C(ca), C(hosts) with C(certificate) and C(key) of each, and the same as C(web)
    for the user's own, else empty.
  type: dict
  returned: success
made:
  description: What was made in this run, and why.
  type: dict
  returned: success
"""
