#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dags_git
short_description: Have the DAG files of a git repository on the controller
version_added: 0.2.0
description:
  - Fetches a repository into a cache on the controller and returns a directory with its files at a branch, tag or
    commit. Works in check mode, too - the cache is no part of the cluster.
  - A token or an SSH key is read from the variable C(airflow_secrets), and is in a file for the time of a fetch, never
    in a URL, a command line or an environment.
  - Needs C(git) on the controller and no connection to any host. Use it with C(run_once).
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  repository:
    description: URL of the repository, or a path on the controller.
    type: str
    required: true
  ref:
    description: Branch, tag or commit.
    type: str
    required: true
  path:
    description: Directory in the repository. Empty for all of it.
    type: str
    default: ""
  user:
    description: Account that the token belongs to.
    type: str
    default: git
  known_hosts:
    description: Lines of a C(known_hosts) file. Empty for that of the user who runs Ansible.
    type: str
    default: ""
  cache:
    description: Directory on the controller.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Get the DAG files
  flightdeck.airflow.dags_git:
    repository: https://git.example.org/data/dags.git
    ref: v1.4
    path: dags
    cache: ~/.cache/flightdeck/git
  run_once: true
"""

RETURN = r"""
ansible_facts:
  description: C(flightdeck_dags_source) has the C(directory) on the controller with the files, and the C(commit).
  type: dict
  returned: when nothing is wrong
part:
  description: What is wrong, C(repository), C(ref) or C(path); empty for nothing.
  type: str
  returned: always
found:
  description: What was found there.
  type: str
  returned: always
"""
