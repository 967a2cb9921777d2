#!/usr/bin/python
# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Everything that the preflight and the roles need to know of a host, in one execution."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_facts
short_description: Look at a host before anything changes
version_added: 0.1.0
description:
  - Returns the few facts that roles of this collection use, and what the preflight checks, in one execution. It takes
    the place of C(ansible.builtin.setup) and leaves Ansible's own facts alone.
  - Its action works out from the cluster model what to look at. A host that cannot be reached, or where the module
    cannot run, is no failure of this task. It is RV(preflight.error), for M(flightdeck.airflow.preflight) to report
    with everything else.
author: Flightdeck contributors (@flightdeck)
extends_documentation_fragment: flightdeck.airflow.attributes.reads
options:
  groups:
    description: Services of the host whose earlier data is looked for, and V(airflow) when a component runs there. Set
      by the action.
    type: list
    elements: str
    default: []
  directories:
    description: Paths whose file systems are measured; they need not exist. Set by the action.
    type: list
    elements: path
    default: []
  ports:
    description: TCP ports whose listener is looked for. Set by the action.
    type: list
    elements: int
    default: []
  names:
    description: Host names to resolve. Set by the action.
    type: list
    elements: str
    default: []
  root:
    description: Directory of the Airflow releases. Set by the action.
    type: path
    default: /opt/airflow
  database:
    description: Where Airflow's metadata database is, when the host has one. Set by the action.
    type: dict
    suboptions:
      name:
        description: Name of the database.
        type: str
        required: true
      port:
        description: TCP port, which is part of the socket's name.
        type: int
        required: true
  units:
    description: Shell patterns of the units of components. Set by the action.
    type: list
    elements: str
    default: []
  wrappers:
    description: Programs that units of components run in one of their modes, by unit. Set by the action.
    type: dict
    default: {}
  files:
    description: Other files of components that are looked for. Set by the action.
    type: list
    elements: path
    default: []
  packages:
    description: Debian packages that must be installed or installable. Set by the action.
    type: list
    elements: str
    default: []
  tiers:
    description: Stateful tiers of the host whose data and members are collected. Set by the action.
    type: dict
    default: {}
    suboptions:
      etcd:
        description: The host's etcd member.
        type: dict
        suboptions:
          client_url:
            description: URL at which it answers clients.
            type: str
            required: true
          peer_url:
            description: URL at which it answers its peers.
            type: str
            required: true
      rabbitmq:
        description: Name of the host's RabbitMQ node.
        type: str
  account:
    description: The account of Airflow, when the host has a component. Set by the action.
    type: dict
    suboptions:
      name:
        description: Name of the account and of its group.
        type: str
        required: true
      uid:
        description: Number of the account; 0 for any.
        type: int
        required: true
      gid:
        description: Number of the group; 0 for any.
        type: int
        required: true
"""

EXAMPLES = r"""
- name: Collect what roles and preflight need to know
  flightdeck.airflow.preflight_facts:
  register: preflight_facts

- name: Check the hosts before anything changes
  flightdeck.airflow.preflight:
    facts: preflight_facts
  run_once: true
"""

RETURN = r"""
ansible_facts:
  description:
    - flightdeck_system, which has distribution and its version and release, machine, memtotal_mb and processor_nproc as
      Ansible's own facts have them, python, as major.minor, and ipv6, whether the kernel has it.
    - flightdeck_interfaces, the network interface of each address.
    - flightdeck_addresses, the addresses of each name that the host has to resolve.
    - flightdeck_packages, the names of the Debian packages that are installed.
    - flightdeck_postgresql_data, whether there is a PostgreSQL server's data directory.
    - flightdeck_unwrapped, the units of components that do not run the program of one of their modes.
    - flightdeck_units, the unit files of components that the roles have written.
    - flightdeck_files, the paths of the components' secrets, of the programs of their modes, and of C(files).
    - flightdeck_own_files, the paths of what the roles have written for the user, secrets included.
    - flightdeck_firewall, whether the role firewall has put rules on the host.
    - flightdeck_release, the name of the release of Airflow that is active, empty without one.
    - flightdeck_account, whether the account of Airflow and its group exist, as user and group.
    - flightdeck_switched_services, which of keepalived, pgbouncer, metrics, monitoring, journal, journal_receiver,
      backup and flightdeck-db-clean the roles have set up on the host.
    - flightdeck_disks, by directory the room on its file system.
    - flightdeck_removed, when the host was removed from a cluster; empty when it was not.
    - flightdeck_drained, since when and why the host is drained; empty when it is not.
    - flightdeck_hosts_files, by file with names of hosts, whether the roles have written the cluster's into it.
  type: dict
  returned: when the module ran
preflight:
  description: What the preflight checks.
  type: dict
  returned: always
  contains:
    error: {description: Why the host could not be checked., type: str, returned: when it could not}
    unreachable: {description: Whether the connection failed., type: bool, returned: always}
    clock: {description: Lowest and highest difference of its clock to the controller's in seconds., type: list,
    elements: float}
    root: {description: Whether the module ran as root., type: bool}
    systemd: {description: Whether systemd runs the host., type: bool}
    identity: {description: A text that no other host has., type: str}
    disks: {description: "By directory, free MiB and inodes, the file system, its owner, and noexec.", type: dict}
    listeners: {description: Process and unit by taken port., type: dict}
    names: {description: Addresses by name., type: dict}
    cluster: {description: The mark of the cluster that the host belongs to., type: str}
    traces: {description: Paths by which the collection is known on the host., type: list, elements: str}
    unmanaged: {description: Files of services that the roles did not make., type: list, elements: str}
    releases: {description: Airflow releases on the host., type: dict}
    database:
      description: Schema version of Airflow's database and whether the Fernet key decrypts what is in it. Null when it
        does not answer.
      type: dict
    tiers:
      description: By tier, whether the host has data of it, and its members as this one knows them; null when it cannot
        be asked.
      type: dict
    without_candidate: {description: Packages that apt could not install; null without an answer., type: list, elements:
    str}
    nr_open: {description: Files that a process may be allowed to open., type: int}
    synchronised: {description: Whether a time service keeps the clock; null when the kernel does not say., type: bool}
    unattended_upgrades: {description: Whether packages may be upgraded at any time., type: bool}
    account:
      description: Numbers of the account of Airflow and of its group, and who has the wanted ones.
      type: dict
    closed_directories:
      description: By directory, the first one above it that the account of Airflow cannot enter; empty for none.
      type: dict
    hidden_processes: {description: The option of /proc that hides processes from the account of Airflow., type: str}
"""

import os
import platform
import sys
import time
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _drained, _host


def tiers(wanted: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """By tier of the host, what it has of it."""
    found = {}
    if wanted.get("etcd"):
        found["etcd"] = _host.etcd(**wanted["etcd"])
    if wanted.get("rabbitmq"):
        found["rabbitmq"] = _host.rabbitmq(wanted["rabbitmq"])
    return found


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "groups": {"type": "list", "elements": "str", "default": []},
            "directories": {"type": "list", "elements": "path", "default": []},
            "ports": {"type": "list", "elements": "int", "default": []},
            "names": {"type": "list", "elements": "str", "default": []},
            "root": {"type": "path", "default": "/opt/airflow"},
            "database": {
                "type": "dict",
                "options": {"name": {"type": "str", "required": True}, "port": {"type": "int", "required": True}},
            },
            "units": {"type": "list", "elements": "str", "default": []},
            "wrappers": {"type": "dict", "default": {}},
            "files": {"type": "list", "elements": "path", "default": []},
            "packages": {"type": "list", "elements": "str", "default": []},
            "tiers": {
                "type": "dict",
                "default": {},
                "options": {
                    "etcd": {
                        "type": "dict",
                        "options": {
                            "client_url": {"type": "str", "required": True},
                            "peer_url": {"type": "str", "required": True},
                        },
                    },
                    "rabbitmq": {"type": "str"},
                },
            },
            "account": {
                "type": "dict",
                "options": {
                    "name": {"type": "str", "required": True},
                    "uid": {"type": "int", "required": True},
                    "gid": {"type": "int", "required": True},
                },
            },
        },
        supports_check_mode=True,
    )
    wanted = module.params
    units = _host.units(wanted["units"])
    account = _host.account(**wanted["account"]) if wanted["account"] else {}
    uid_and_groups = _host.groups_of(wanted["account"]["name"]) if wanted["account"] else (-1, ())
    names = _host.resolve(wanted["names"])
    disks = {path: _host.space(path) for path in wanted["directories"]}
    installed = _host.installed_packages()
    releases = _host.releases(wanted["root"])
    facts = {
        "flightdeck_system": {
            **_host.parse_os_release(_host.read("/etc/os-release")),
            "machine": platform.machine(),
            "memtotal_mb": _host.parse_memory_mb(_host.read("/proc/meminfo")),
            "processor_nproc": _host.processors(),
            "python": f"{sys.version_info.major}.{sys.version_info.minor}",
            "ipv6": os.path.exists("/proc/net/if_inet6"),
        },
        "flightdeck_interfaces": _host.interfaces(),
        "flightdeck_addresses": names,
        "flightdeck_packages": installed,
        "flightdeck_postgresql_data": _host.postgresql_data(),
        "flightdeck_unwrapped": _host.unwrapped(wanted["wrappers"]),
        "flightdeck_units": [os.path.basename(path) for path, ours in units.items() if ours],
        "flightdeck_files": _host.component_files([*wanted["wrappers"].values(), *wanted["files"]]),
        "flightdeck_own_files": _host.own_files(),
        "flightdeck_release": releases["current"],
        "flightdeck_firewall": os.path.exists(_host.FIREWALL),
        "flightdeck_account": {"user": account.get("uid") is not None, "group": account.get("gid") is not None},
        "flightdeck_switched_services": _host.switched_services(),
        "flightdeck_hosts_files": _host.hosts_files(),
        "flightdeck_disks": disks,
        "flightdeck_drained": _drained.read(),
        "flightdeck_removed": _host.read(_host.REMOVED).strip(),
    }
    preflight = {
        "unreachable": False,
        "root": os.geteuid() == 0,
        "systemd": os.path.isdir("/run/systemd/system"),
        "identity": _host.identity(),
        "disks": disks,
        "listeners": _host.listeners(wanted["ports"]),
        "names": names,
        "cluster": _host.read(_host.MARK),
        "traces": _host.traces(),
        "unmanaged": _host.unmanaged_files(wanted["groups"], units),
        "releases": releases,
        "database": _host.database(**wanted["database"]) if wanted["database"] else {},
        "tiers": tiers(wanted["tiers"]),
        "without_candidate": _host.without_candidate(wanted["packages"], installed),
        "nr_open": int(_host.read("/proc/sys/fs/nr_open") or 0),
        "synchronised": _host.container() or _host.synchronised(),
        "unattended_upgrades": _host.unattended_upgrades(),
        "account": account,
        "closed_directories": {path: _host.closed_directory(path, *uid_and_groups) for path in wanted["directories"]}
        if account
        else {},
        "hidden_processes": _host.hidden_processes(wanted["account"]["name"], _host.read("/proc/mounts"))
        if account
        else "",
        # Last, so that little time passes until the controller reads its own clock.
        "now": time.time(),
    }
    module.exit_json(
        changed=False, ansible_facts={f"ansible_{name}": value for name, value in facts.items()}, preflight=preflight
    )


if __name__ == "__main__":
    main()
