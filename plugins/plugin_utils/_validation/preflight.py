# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of what the hosts hold, still before anything changes on any. Pure: ``preflight_facts`` collected it."""

from __future__ import annotations

import fnmatch
import ipaddress
from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.module_utils import _drained
from ansible_collections.flightdeck.airflow.plugins.module_utils._metadata import WRONG_KEY
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.platforms import PLATFORMS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import (
    EPMD_PORT,
    INODES,
    LOGS_MB,
    MEMBER_TIERS,
    OPEN_FILES,
    RELEASE_MB,
    SERVICES,
    Component,
    Service,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.versions import VERSIONS, nearest, numbers
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import survey
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.addresses import is_address
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Cluster, Node
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.survey import (
    TierSurvey,
    lacks_room_for_logs,
    members_unseen,
    memory_need,
    needed_directories,
    needed_names,
    node_services,
    own_names,
    service_ports,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import backups, modes
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem, on_hosts

# Seconds. Airflow's tokens are valid 10 s before their time at most; a difference beyond the first is a warning, one
# beyond the second a problem.
SKEW_WARN = 1.0
SKEW_FAIL = 5.0
# What a run that changes little writes on the file system of a host's configuration.
_RUN_MB, _RUN_INODES = 32, 100


def check(
    hosts: Mapping[str, Mapping[str, Any]],
    cluster: Cluster,
    own_mark: str,
    limit: str = "",
    deploy: bool = True,
    version_change: str = "none",
) -> tuple[list[Problem], list[str]]:
    """Problems and warnings. ``hosts`` maps names to facts with the result of the module under ``preflight``; ``limit``
    is that of the run.

    Without ``deploy`` only what makes every playbook wrong counts. ``version_change`` is what the play does to the
    version that the hosts run: none, upgrade or rollback.
    """
    found: list[tuple[str, Problem]] = []
    seen = {}
    for name, facts in hosts.items():
        state = facts["preflight"]
        if "error" in state:
            continue
        unfit = _check_system(facts) or _check_removed(facts["flightdeck_removed"])
        found += [(name, problem) for problem in unfit]
        if unfit:
            # Nothing else would mean anything on another system, or on a host that left with its data.
            continue
        seen[name] = facts
        problems = [*_check_manager(state), *_check_cluster(state, own_mark)]
        if deploy:
            problems += _check_host(name, facts, cluster)
            back = version_change == "rollback"
            problems += _check_database(state["database"] or {}, cluster, may_be_newer=back)
            problems += [] if back else _check_downgrade(state["releases"], cluster)
            if version_change == "none" and cluster.nodes[name].components:
                problems += _check_upgrade(state["releases"], cluster)
        found += [(name, problem) for problem in problems]
    problems = [
        *_check_answers({name: facts["preflight"] for name, facts in hosts.items()}),
        *on_hosts(found),
        *_check_identity(seen),
    ]
    warnings: list[str] = []
    if deploy:
        problems += _check_tier(seen, cluster)
        problems += modes.check_survey(seen, cluster, limit)
        problems += on_hosts(check_members(survey.survey(host_data(seen), cluster), seen, cluster))
        skew, warnings = _check_clocks({name: facts["preflight"]["clock"] for name, facts in seen.items()})
        problems += skew
        warnings += _warn_drained(seen)
        warnings += _warn({name: facts["preflight"] for name, facts in seen.items()}, cluster)
    return problems, warnings


def host_data(hosts: Mapping[str, Mapping[str, Any]]) -> dict[str, survey.HostData]:
    """What the survey needs of the facts of ``hosts`` (by name); those that did not answer are not among them."""
    return {name: _host_data(facts) for name, facts in hosts.items() if "error" not in facts["preflight"]}


def _host_data(facts: Mapping[str, Any]) -> survey.HostData:
    said = facts["preflight"]["tiers"]
    tiers = {tier for tier in said if said[tier]["data"]} | (
        {"metastore"} if facts["flightdeck_postgresql_data"] else set()
    )
    members = {tier: None if said[tier]["members"] is None else tuple(said[tier]["members"]) for tier in said}
    return survey.HostData(frozenset(tiers), members.get("etcd", ()), members.get("rabbitmq", ()))


def _check_answers(states: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    """One problem for all hosts that do not answer, one for all where the module could not run, each with the first
    reason."""
    problems = []
    gone = {name: state["error"] for name, state in sorted(states.items()) if state.get("unreachable")}
    if gone:
        remedy = "Start them, repair the network path, or exclude them with --limit."
        problems.append(
            Problem(
                Code.FD212, f"hosts {', '.join(gone)}", f"no connection ({_first(gone)})", "hosts that answer", remedy
            )
        )
    barred = {name: state["error"] for name, state in sorted(states.items()) if "error" in state and name not in gone}
    if barred:
        remedy = "Install python3; set ansible_user: root, or ansible_become with its password."
        if any("tty" in error for error in barred.values()):
            # sudo's requiretty, which Ansible's pipelining does not get on with.
            remedy = "Add 'Defaults:<account> !requiretty' to sudoers on the hosts, or set ansible_pipelining: false."
        found = f"no check of the host possible ({_first(barred)})"
        problems.append(Problem(Code.FD213, f"hosts {', '.join(barred)}", found, "Python 3 and root", remedy))
    return problems


def _first(errors: Mapping[str, str]) -> str:
    name, error = next(iter(errors.items()))
    return f"{name}: {error}" if len(errors) > 1 else error


def _check_system(facts: Mapping[str, Any]) -> list[Problem]:
    system = facts["flightdeck_system"]
    distribution, release = str(system["distribution"]), str(system["distribution_major_version"])
    if distribution == "Debian" and release in PLATFORMS:
        return []
    remedy = "Use a machine with a release that the collection is tested on."
    return [Problem(Code.FD201, "system", f"{distribution} {release}", f"Debian {' or '.join(PLATFORMS)}", remedy)]


def _check_manager(state: Mapping[str, Any]) -> list[Problem]:
    problems = []
    if not state["root"]:
        remedy = "Set ansible_user: root, or ansible_become: true with its password."
        problems.append(Problem(Code.FD213, "account", "an account that is not root", "root", remedy))
    if not state["systemd"]:
        remedy = "The services are systemd units: use such a host."
        problems.append(Problem(Code.FD214, "system", "no systemd", "systemd as the service manager", remedy))
    return problems


def _check_removed(removed: str) -> list[Problem]:
    if not removed:
        return []
    remedy = (
        "Delete its lines in the inventory. To take it in again, reinstall it, or remove its data and "
        "/var/lib/flightdeck/removed."
    )
    return [Problem(Code.FD328, "cluster", f"a host that was removed ({removed})", "a host of the cluster", remedy)]


def _check_cluster(state: Mapping[str, Any], own_mark: str) -> list[Problem]:
    there = str(state["cluster"]).split()
    if not there or there[-1] == own_mark.split()[-1]:
        return []
    return [
        Problem(
            Code.FD208,
            "cluster",
            f"{there[0]!r} with identity {there[-1]}, written by an earlier deployment",
            f"this cluster, {own_mark.strip()!r}, or none",
            "It belongs to another inventory, or this one has lost its secrets file. If neither, remove "
            "/etc/airflow/cluster.",
        )
    ]


def _releases(version: str) -> list[str]:
    """Releases of Debian whose Python Airflow ``version`` supports."""
    return [platform.release for platform in PLATFORMS.values() if platform.python_minor in nearest(version).pythons]


def _check_host(name: str, facts: Mapping[str, Any], cluster: Cluster) -> list[Problem]:
    node, state = cluster.nodes[name], facts["preflight"]
    problems = []
    version = cluster.version.full
    system = facts["flightdeck_system"]
    python = str(system["python"])
    if node.components and python not in nearest(version).pythons:
        problems.append(
            Problem(
                Code.FD202,
                "Python",
                f"{python} on Debian {system['distribution_major_version']}",
                f"{' or '.join(nearest(version).pythons)} for Airflow {version}",
                f"Use a host with Debian {' or '.join(_releases(version))}.",
            )
        )
    problems += _check_memory(node, int(system["memtotal_mb"]))
    problems += _check_disks(name, state, cluster)
    # Another account cannot see whose they are.
    if state["root"]:
        problems += _check_listeners(
            state["listeners"], service_ports(cluster, name), node_services(node), cluster.account
        )
    problems += _check_names(name, state["names"], cluster)
    if state["unmanaged"]:
        problems.append(
            Problem(
                Code.FD208,
                "service",
                f"an unmanaged installation ({', '.join(state['unmanaged'][:3])})",
                "none",
                _unmanaged_remedy(node),
            )
        )
    if state["without_candidate"]:
        remedy = (
            "Correct airflow_system_packages, or add Debian's archive or a mirror to the apt sources; apt-get update."
        )
        found = f"no candidate for {', '.join(state['without_candidate'])}"
        problems.append(Problem(Code.FD220, "packages", found, "packages that apt can install", remedy))
    if node.rabbitmq and state["nr_open"] < OPEN_FILES:
        remedy = f"Set the sysctl fs.nr_open to {OPEN_FILES} or more; in a container, on its host."
        problems.append(
            Problem(
                Code.FD217,
                "open files",
                f"fs.nr_open {state['nr_open']}",
                f"at least {OPEN_FILES} for RabbitMQ",
                remedy,
            )
        )
    return problems + _check_account(state, cluster)


def _check_account(state: Mapping[str, Any], cluster: Cluster) -> list[Problem]:
    """The account of Airflow has its numbers, owns its directories, and sees the processes of its services."""
    there, problems = state["account"], []
    kinds = (("airflow_uid", "account", cluster.uid, "uid"), ("airflow_gid", "group", cluster.gid, "gid"))
    for variable, kind, number, key in kinds if there else ():
        where, expected = f"{kind} {cluster.account}", f"number {number} ({variable})"
        if number and there[key] not in (None, number):
            remedy = f"Set {variable}: {there[key]}; or stop Airflow, change the {kind} and the owner of its files."
            problems.append(Problem(Code.FD236, where, f"number {there[key]}", expected, remedy))
        elif number and there[key] is None and there[f"{key}_holder"]:
            remedy = f"Set {variable} to a number that is free on all hosts."
            problems.append(Problem(Code.FD236, where, f"{number} taken by {there[f'{key}_holder']}", expected, remedy))
    missing = [kind for _variable, kind, _number, key in kinds if there and there[key] is None]
    if missing and not cluster.manage_account:
        where, expected = f"{' and '.join(missing)} {cluster.account}", "both on the host, by airflow_manage_account"
        remedy = "Create it, look why the directory service does not know it, or set airflow_manage_account: true."
        problems.append(Problem(Code.FD284, where, "none", expected, remedy))
    for path in (cluster.directories.home, cluster.directories.log_dir) if there else ():
        owner = state["disks"].get(path, {}).get("owner", "")
        if owner not in ("", "root", cluster.account, str(cluster.uid)):
            remedy = "Set airflow_user to that account; or stop Airflow, and change the owner of all in the directory."
            problems.append(
                Problem(Code.FD239, f"owner of {path}", owner, f"{cluster.account} (airflow_user), or root", remedy)
            )
    own = (cluster.directories.root, cluster.directories.home, cluster.directories.log_dir)
    closed: dict[str, list[str]] = {}
    for path in own:
        above = state["closed_directories"].get(path)
        # Of its own directories, the collection sets the modes itself.
        if above and above not in own:
            closed.setdefault(above, []).append(path)
    for above, paths in closed.items():
        expected = f"one that the account {cluster.account} may enter, for {' and '.join(paths)}"
        remedy = f"Run chmod o+x {above}, or choose other directories."
        problems.append(Problem(Code.FD240, f"directory {above}", "no right to enter it", expected, remedy))
    if state["hidden_processes"]:
        remedy = (
            f"Mount it without, or with gid= of a group that has the account {cluster.account}, for its health checks."
        )
        problems.append(
            Problem(Code.FD237, "mount of /proc", state["hidden_processes"], "processes that the account sees", remedy)
        )
    return problems


def _unmanaged_remedy(node: Node) -> str:
    """What to do with an installation that is in the way."""
    remedy = (
        "Its configuration would be replaced: use another host, or remove it with its data when they are not needed."
    )
    if node.metastore and node.metastore.patroni:
        remedy = (
            "A single metastore of this cluster grows by flightdeck.airflow.grow_metastore. Otherwise: "
            f"{remedy[0].lower()}{remedy[1:]}"
        )
    return remedy


def _check_database(database: Mapping[str, Any], cluster: Cluster, *, may_be_newer: bool = False) -> list[Problem]:
    """What is in the metastore already must fit what is going to read it."""
    problems = []
    version = cluster.version.full
    newer = {other.schema: other.full for other in VERSIONS.values() if numbers(other.full) > numbers(version)}
    there = database.get("schema", "")
    if there in newer and not cluster.allow_downgrade and not may_be_newer:
        remedy = (
            f"Set airflow_version: {newer[there]}; or bring the schema back first, and set "
            "airflow_allow_downgrade: true for one run."
        )
        problems.append(
            Problem(
                Code.FD216, "metastore", f"the schema of Airflow {newer[there]}", f"that of {version} or older", remedy
            )
        )
    if not database.get("decrypts", True):
        problems.append(Problem(Code.FD215, "airflow_fernet_key", *WRONG_KEY))
    return problems


def _warn(states: Mapping[str, Mapping[str, Any]], cluster: Cluster) -> list[str]:
    """What does no harm today."""
    warnings = []
    drifting = [name for name, state in states.items() if state["synchronised"] is False]
    if drifting:
        warnings.append(
            f"{Code.FD218} hosts {', '.join(drifting)}: nothing keeps the clock. Install chrony or systemd-timesyncd."
        )
    backing = {
        name
        for name, node in cluster.nodes.items()
        if not all(isinstance(service, Component) for service in node_services(node))
    }
    surprised = [name for name, state in states.items() if state["unattended_upgrades"] and name in backing]
    if surprised:
        warnings.append(
            f"{Code.FD219} hosts {', '.join(surprised)}: unattended-upgrades may restart PostgreSQL, RabbitMQ, "
            "Redis or HAProxy "
            "at any time. Name them in Unattended-Upgrade::Package-Blacklist."
        )
    return warnings + _warn_full_logs(states, cluster) + _warn_unknown(states, cluster)


def _warn_drained(hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Hosts on which this run starts nothing of Airflow."""
    return [
        f"{Code.FD323} host {name}: drained {_drained.words(record)}. Nothing of Airflow starts there until "
        f"flightdeck.airflow.undrain -e airflow_drain_hosts={name}."
        for name, facts in hosts.items()
        if (record := facts.get("flightdeck_drained"))
    ]


def _warn_unknown(states: Mapping[str, Mapping[str, Any]], cluster: Cluster) -> list[str]:
    """What could not be asked, so that a check did not happen: no refusal where a wrong answer costs no data."""
    unknown = {
        "whether a time service keeps the clock, because the kernel does not say": "synchronised",
        "whether the packages can be installed, because apt-cache does not answer": "without_candidate",
    }
    warnings = []
    for what, key in unknown.items():
        if names := [name for name, state in states.items() if state[key] is None]:
            warnings.append(f"{Code.FD224} hosts {', '.join(names)}: unknown {what}.")
    servers = [name for name, node in cluster.nodes.items() if node.metastore and name in states]
    # All servers have the same data: one answer is enough.
    if servers and all(states[name]["database"] is None for name in servers):
        warnings.append(
            f"{Code.FD224} metastore: unknown which schema it has and whether the Fernet key decrypts what is in "
            "it, because PostgreSQL on "
            f"{', '.join(servers)} has data and does not answer. This run starts it, and checks both before it "
            "migrates."
        )
    return warnings


def _check_memory(node: Node, total: int) -> list[Problem]:
    need = memory_need(node)
    if total >= sum(need.values()):
        return []
    parts = ", ".join(f"{name} {size}" for name, size in need.items())
    remedy = "Give the host more memory, or some of its groups to another host."
    return [Problem(Code.FD204, "memory", f"{total} MiB", f"at least {sum(need.values())} MiB ({parts})", remedy)]


def _check_disks(name: str, state: Mapping[str, Any], cluster: Cluster) -> list[Problem]:
    version, root = cluster.version.full, cluster.directories.root
    has_release = any(release.startswith(f"{version}-") for release in state["releases"]["installed"])
    problems = []
    for path, need in needed_directories(cluster, name).items():
        disk = state["disks"].get(path, {"error": "not measured"})
        need = RELEASE_MB if path == root and not has_release else need
        if "error" in disk:
            problems.append(
                Problem(
                    Code.FD205,
                    f"disk of {path}",
                    str(disk["error"]),
                    "a directory that can be read",
                    "Repair the file system.",
                )
            )
        elif disk["free_mb"] < need and not _waits_for_logs(path, state, cluster, has_release):
            remedy = "Make room, or mount a larger file system there."
            problems.append(
                Problem(Code.FD205, f"disk of {path}", f"{disk['free_mb']} MiB free", f"at least {need} MiB", remedy)
            )
        elif path == root and disk["noexec"]:
            remedy = "Mount it without noexec, or set airflow_root to a directory on another file system."
            problems.append(
                Problem(
                    Code.FD238, f"file system of {path}", "noexec", "one that runs the programs of the release", remedy
                )
            )
        elif 0 <= disk["free_inodes"] < INODES and not _waits_for_logs(path, state, cluster, has_release):
            problems.append(
                Problem(
                    Code.FD205,
                    f"disk of {path}",
                    f"{disk['free_inodes']} inodes free",
                    f"at least {INODES}",
                    "Remove small files.",
                )
            )
    return problems


def _waits_for_logs(path: str, state: Mapping[str, Any], cluster: Cluster, has_release: bool) -> bool:
    """Whether old logs may be what is in the way in ``path``: the run, which removes them, needs little itself.

    That is on a host that was deployed before, where ``path`` is on the file system of the logs.
    """
    places = cluster.directories
    disk = state["disks"][path]
    enough = disk["free_mb"] >= _RUN_MB and not 0 <= disk["free_inodes"] < _RUN_INODES
    return (
        has_release
        and path in (places.root, places.home, places.log_dir)
        and disk["device"] == state["disks"][places.log_dir].get("device")
        and (path == places.log_dir or enough)
    )


def _warn_full_logs(states: Mapping[str, Mapping[str, Any]], cluster: Cluster) -> list[str]:
    """Hosts on which this run begins with the removal of old logs."""
    log_dir = cluster.directories.log_dir
    full = [
        name
        for name, state in states.items()
        if log_dir in state["disks"] and lacks_room_for_logs(state["disks"], log_dir)
    ]
    if not full:
        return []
    return [
        f"{Code.FD290} hosts {', '.join(full)}: less than {LOGS_MB} MiB or {INODES} inodes free in {log_dir}. This run "
        "removes logs beyond airflow_log_retention_days and airflow_log_max_size first."
    ]


def _check_listeners(
    taken: Mapping[str, Mapping[str, Any]], ports: Mapping[int, str], services: Iterable[Service], airflow_account: str
) -> list[Problem]:
    services = list(services)
    accounts = {account for service in services for account in service.accounts or (airflow_account,)}
    problems = []
    for port, purpose in ports.items():
        holder = taken.get(str(port))
        # systemd itself listens for the port mapper.
        if not holder or (
            port == EPMD_PORT and (holder["pid"] == 1 or (not holder["pid"] and holder["user"] == "root"))
        ):
            continue
        if holder["unit"]:
            ours = _any_match(holder["unit"], (pattern for service in services for pattern in service.units))
        elif holder["pid"]:
            ours = _any_match(holder["process"], (pattern for service in services for pattern in service.processes))
        else:
            ours = holder["user"] in accounts
        if not ours:
            unit = f", {holder['unit']}" if holder["unit"] else ""
            who = (
                f"{holder['process']} (pid {holder['pid']}{unit})"
                if holder["pid"]
                else f"a process of user {holder['user']}"
            )
            remedy = "Stop it, or give the service another port."
            problems.append(Problem(Code.FD207, f"port {port} for {purpose}", f"{who} on it", "a free port", remedy))
    return problems


def _any_match(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


def _check_names(name: str, found: Mapping[str, list[str]], cluster: Cluster) -> list[Problem]:
    own = own_names(cluster.nodes[name])
    hosts = {entry.name for entry in cluster.hosts_entries if is_address(entry.address)}
    problems = []
    for each, purpose in needed_names(cluster, name).items():
        addresses = found.get(each, [])
        loopback = [address for address in addresses if _is_loopback(address)]
        # Services listen, and admit each other, in one family.
        usable = [address for address in addresses if (":" in address) is cluster.ipv6]
        if usable and (each in own or not loopback):
            continue
        found_text = f"no {'IPv6' if cluster.ipv6 else 'IPv4'} address" if addresses else "no address"
        if loopback and each not in own:
            found_text = f"the loopback address {loopback[0]}"
        # What we write is the name of a host with its address.
        cure = (
            "set airflow_manage_hosts_file: true"
            if each in hosts
            else "set airflow_address of that host to its IP address"
        )
        remedy = f"Correct DNS or /etc/hosts, or {cure}."
        problems.append(
            Problem(Code.FD209, f"name {each} of {purpose}", found_text, "the address of that host", remedy)
        )
    return problems


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _check_downgrade(releases: Mapping[str, Any], cluster: Cluster) -> list[Problem]:
    current = str(releases["current"]).partition("-")[0]
    version = cluster.version.full
    if cluster.allow_downgrade or numbers(current) <= numbers(version):
        return []
    return [
        Problem(
            Code.FD210,
            "release",
            f"Airflow {current} in use",
            f"{version} or older",
            f"The older Airflow cannot read the newer schema. Set airflow_version: {current}, or go back by "
            "flightdeck.airflow.rollback. Where you have brought the schema back yourself, set "
            "airflow_allow_downgrade: true for one run.",
        )
    ]


def _check_upgrade(releases: Mapping[str, Any], cluster: Cluster) -> list[Problem]:
    """A deployment migrates the database while services of the version before run."""
    current = str(releases["current"]).partition("-")[0]
    version = cluster.version.full
    if not current or numbers(current) >= numbers(version):
        return []
    return [
        Problem(
            Code.FD350,
            "airflow_version",
            f"{version}, and Airflow {current} in use",
            f"{current}: a deployment changes no version",
            f"Run flightdeck.airflow.upgrade, or set airflow_version: {current}.",
        )
    ]


def _check_identity(hosts: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    names: dict[str, list[str]] = {}
    for name, facts in hosts.items():
        if facts["preflight"]["identity"]:
            names.setdefault(facts["preflight"]["identity"], []).append(name)
    return [
        Problem(
            Code.FD211,
            f"hosts {', '.join(sorted(same))}",
            "one machine under several names",
            "one name per machine",
            "Put one name into all of its groups and remove the others.",
        )
        for same in names.values()
        if len(same) > 1
    ]


def _check_tier(hosts: Mapping[str, Mapping[str, Any]], cluster: Cluster) -> list[Problem]:
    """Services of several releases of Debian that do not go together."""
    problems = []
    for group, reason in ((service.name, service.one_release) for service in SERVICES if service.one_release):
        by_release: dict[str, list[str]] = {}
        for name, facts in hosts.items():
            if group in cluster.nodes[name].services:
                by_release.setdefault(str(facts["flightdeck_system"]["distribution_major_version"]), []).append(name)
        if len(by_release) > 1:
            shown = " and ".join(
                f"Debian {release} ({', '.join(names)})" for release, names in sorted(by_release.items())
            )
            remedy = f"{reason}: use one release in the whole group."
            problems.append(Problem(Code.FD203, f"group airflow_{group}", shown, "one Debian release", remedy))
    releases = {name: str(facts["flightdeck_system"]["distribution_major_version"]) for name, facts in hosts.items()}
    of_group = {
        group: {name: release for name, release in releases.items() if group in cluster.nodes[name].services}
        for group in ("backup", "metastore")
    }
    return problems + backups.check_releases(of_group["backup"], of_group["metastore"])


def skews(clocks: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Seconds by which each clock surely differs from the others', negative when it is behind; 0 when that is not sure.

    ``clocks`` holds the lowest and highest difference to the controller's clock that fit the measurement. Three and
    more hosts are compared with the middle of all, two with the one that is closer to the controller, one with the
    controller.
    """
    if len(clocks) >= 3:
        low, high = (median(clock[end] for clock in clocks.values()) for end in (0, 1))
    elif len(clocks) == 2:
        low, high = min(clocks.values(), key=lambda clock: abs(clock[0] + clock[1]))
    else:
        low = high = 0.0
    return {name: max(0.0, clock[0] - high) + min(0.0, clock[1] - low) for name, clock in clocks.items()}


def _check_clocks(clocks: Mapping[str, Sequence[float]]) -> tuple[list[Problem], list[str]]:
    """The controller takes no part in the cluster: a difference to it alone is only told."""
    others = "the other hosts" if len(clocks) > 1 else "the controller"
    problems, warnings = [], []
    for name, skew in skews(clocks).items():
        said = f"at least {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} {others}"
        if abs(skew) > SKEW_FAIL and len(clocks) > 1:
            remedy = "Run a time service (chrony or systemd-timesyncd): tokens and heartbeats would be refused."
            problems.append(Problem(Code.FD206, f"clock of host {name}", said, f"at most {SKEW_FAIL:g} s", remedy))
        elif abs(skew) > SKEW_WARN:
            warnings.append(
                f"{Code.FD206} clock of host {name}: {said}. Run a time service: beyond {SKEW_FAIL:g} s a cluster "
                "is refused."
            )
    return problems, warnings


def check_members(
    known: Mapping[str, TierSurvey], hosts: Collection[str], cluster: Cluster
) -> list[tuple[str, Problem]]:
    """Hosts that cannot just be deployed, because others have, or may have, what they lost."""
    problems = []
    for name in hosts:
        lost = [title for tier, title in MEMBER_TIERS.items() if name in known[tier].lost]
        if lost:
            problems.append(
                (
                    name,
                    Problem(
                        Code.FD221,
                        "data",
                        f"none of {' and '.join(lost)}, whose other members still count on it",
                        "the data of a member",
                        "Mount them where they are missing. When they are lost for good, the empty host takes "
                        "their place by "
                        f"flightdeck.airflow.replace_host -e airflow_replaced_host={name}",
                    ),
                )
            )
        unknown = [tier for tier in MEMBER_TIERS if name in known[tier].unknown]
        if unknown:
            silent = sorted({origin for tier in unknown for origin in known[tier].origins})
            problems.append(
                (
                    name,
                    Problem(
                        Code.FD223,
                        "data",
                        f"none of {' and '.join(MEMBER_TIERS[tier] for tier in unknown)}, and too few answers of "
                        "the members that have "
                        f"data ({', '.join(silent)}) to know whether they count on it",
                        "members that answer, or the data of a member",
                        "Start the service on those hosts and run again. A host that starts empty in the place of "
                        "a member can cost data.",
                    ),
                )
            )
        unseen = [
            title
            for tier, title in MEMBER_TIERS.items()
            if tier != "metastore" and members_unseen(tier, name, known, hosts, cluster)
        ]
        if unseen:
            remedy = "Run without --limit: whether the others count on the host can be seen on their hosts only."
            found = f"none of {' and '.join(unseen)}, and most other members are not part of this run"
            problems.append((name, Problem(Code.FD222, "data", found, "data, or a run with the other members", remedy)))
    return problems
