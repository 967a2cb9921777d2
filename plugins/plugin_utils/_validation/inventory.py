# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the inventory: groups, hosts, their addresses, ports and queues."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import services
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import GROUPS, OPTIONAL
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.versions import (
    TESTED_VERSIONS,
    VERSIONS,
    has_nearest,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import broker as broker_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import metastore, options, ports
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.addresses import (
    is_address,
    is_host,
    is_ipv6,
    normal_address,
    unusable,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.cluster import Model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host, served_queues
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import (
    backups,
    firewall,
    ha,
    login,
    modes,
    monitoring,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import broker as broker_validation
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import metastore as metastore_validation
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem, on_hosts
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.words import closest

PREFIX = "airflow_"
# Name of a host where it is not an address: it becomes part of names in HAProxy, RabbitMQ and /etc/hosts.
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")


def check_groups(groups: Mapping[str, Sequence[str]], known: Iterable[str]) -> list[Problem]:
    """A problem for every group whose name means one of ours, a warning for one with hosts that are in none of ours.

    ``known`` are the names of our groups; any other ``airflow_*`` group may hold variables for hosts of ours.
    """
    known = set(known)
    ours = {host for group in known for host in groups.get(group, [])}
    short = {group.removeprefix(PREFIX) for group in known}
    problems = []
    for group in sorted(groups):
        plain = group.replace("-", "_").lower()
        if group in known or not plain.startswith(PREFIX) or not groups[group]:
            continue
        lost = [host for host in groups[group] if host not in ours]
        meant = _meant(plain.removeprefix(PREFIX), short, synonyms=bool(lost))
        if meant:
            remedy = f"Did you mean {PREFIX}{meant}?"
            problems.append(
                Problem(Code.FD123, f"group {group}", "an unknown group", "a group of the collection", remedy)
            )
        elif lost:
            found = f"hosts that are in no group of the collection: {', '.join(lost[:3])}"
            remedy = "Nothing is deployed on them: ignore this when they are not of the cluster."
            problems.append(Problem(Code.FD148, f"group {group}", found, "hosts of the cluster", remedy))
    return problems


def _meant(name: str, known: Iterable[str], *, synonyms: bool) -> str:
    """The one of the ``known`` groups that ``name`` misspells or, with ``synonyms``, means; empty for none."""
    known = sorted(known)
    if close := closest(name, known):
        return close
    words = {name.replace("_", ""), name.replace("_", "").rstrip("s")}
    return next((group for group in known if synonyms and words.intersection(services.BY_NAME[group].synonyms)), "")


def check_hosts(hosts: Mapping[str, str], brokers: Sequence[str]) -> list[Problem]:
    """Problems with names and addresses.

    ``hosts`` maps names to the addresses that the others use; ``brokers`` are RabbitMQ's hosts.
    """
    problems = []
    for name in hosts:
        if not (_NAME.fullmatch(name) or is_address(name)):
            problems.append(
                Problem(
                    Code.FD118,
                    f"host {name!r}",
                    "its name",
                    "letters, digits, '_' or '-' in parts of 1 to 63 characters with dots between them",
                    "Rename it; ansible_host says where it is.",
                )
            )
    problems += _check_alike(hosts)
    faults = [
        (name, problem) for name, address in hosts.items() for problem in _check_address(address, alone=len(hosts) == 1)
    ]
    problems += on_hosts(faults, everybody=len(hosts))
    for name in brokers:
        if "_" in name or ":" in name:
            problems.append(
                Problem(
                    Code.FD118,
                    f"host {name} of airflow_rabbitmq",
                    "its name",
                    "a name that DNS knows",
                    "Erlang needs one: no '_' and no ':'.",
                )
            )
        elif len(brokers) > 1 and name.partition(".")[0] == "localhost":
            problems.append(
                Problem(
                    Code.FD118,
                    f"host {name} of airflow_rabbitmq",
                    "a name that is another host on each",
                    "a name of its own",
                    "Rename it.",
                )
            )
    if 0 < sum("." in name for name in brokers) < len(brokers):
        short = next(name for name in brokers if "." not in name)
        problems.append(
            Problem(
                Code.FD118,
                "group airflow_rabbitmq",
                f"names with and without a domain (host {short})",
                "names of one kind",
                "Erlang nodes with long and with short names do not talk to each other: rename them.",
            )
        )
    return problems


def _check_alike(names: Iterable[str]) -> list[Problem]:
    """Names that differ in capitals only: DNS and /etc/hosts take them for one."""
    seen: dict[str, str] = {}
    problems = []
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            found, expected = f"a name like that of host {other}", "names that differ in more than capitals"
            remedy = "Rename one: DNS and /etc/hosts take them for one name."
            problems.append(Problem(Code.FD118, f"host {name}", found, expected, remedy))
    return problems


def _check_address(address: str, alone: bool) -> list[Problem]:
    where = "airflow_address"
    if not is_host(address):
        expected = "an IP address or a host name, without port and scheme"
        return [Problem(Code.FD118, where, repr(address), expected, "Set airflow_address, or correct ansible_host.")]
    if normal_address(address) == "localhost" or (is_address(address) and ipaddress.ip_address(address).is_loopback):
        if alone:
            return []
        return [
            Problem(
                Code.FD118,
                where,
                address,
                "an address that the other hosts reach",
                "Set airflow_address to the host's own address.",
            )
        ]
    if is_address(address) and (why := unusable(address)):
        found, expected = f"{address}, {why}", "an address at which all other hosts reach this one"
        return [Problem(Code.FD118, where, found, expected, "Set airflow_address to the host's own address.")]
    return []


def _check_names(hosts: Sequence[Host], settings: Settings) -> list[Problem]:
    """A problem for every host that has a name where only its address will do, for all of these together."""
    databases = [host for host in hosts if "metastore" in host.groups]
    problems = []
    for host in hosts:
        reasons = {
            "etcd": "etcd" in host.groups,
            "Patroni": host in databases and len(databases) > 1,
            "keepalived (airflow_vip)": "haproxy" in host.groups and bool(settings.vip),
            "/etc/hosts (airflow_manage_hosts_file)": settings.manage_hosts_file,
        }
        needed = [reason for reason, holds in reasons.items() if holds]
        if needed and is_host(host.address) and not is_address(host.address):
            where, expected = f"airflow_address of host {host.name}", f"an IP address, for {', '.join(needed)}"
            problems.append(
                Problem(Code.FD150, where, f"the name {host.address}", expected, "Set airflow_address on the host.")
            )
    return problems


def _check_families(hosts: Sequence[Host]) -> list[Problem]:
    """A problem when the hosts have addresses of both families.

    A host that has both connects from the one of its target, and is admitted by the one that the inventory knows.
    """
    families = {6 if is_ipv6(host.address) else 4: host for host in hosts if is_address(host.address)}
    if len(families) < 2:
        return []
    found = " and ".join(f"{host.address} of host {host.name}" for _family, host in sorted(families.items()))
    remedy = "Set airflow_address, where hosts have both to their IPv4 address; ansible_host may be another."
    return [Problem(Code.FD195, "airflow_address", found, "addresses of one family on all hosts", remedy)]


def check_default_queue(queues: Mapping[str, Iterable[str]], default: str) -> list[Problem]:
    """A problem when no worker serves the queue of tasks that name none. ``queues`` maps queues to their hosts."""
    if not queues or default in queues:
        return []
    return [
        Problem(
            Code.FD114,
            "airflow_worker_queues",
            f"no worker for {default!r}, the queue of all tasks that name none",
            f"a worker of it, or another default than {', '.join(sorted(queues))} lack",
            f"Add {default} to a worker, or set airflow_config.operators.default_queue to a queue that a worker "
            "serves.",
        )
    ]


def check_sources(clusters: Mapping[str, str]) -> list[Problem]:
    """A problem when one run reads the inventories of several clusters.

    ``clusters`` maps an inventory to the name of its cluster.
    """
    if len(set(clusters.values())) < 2:
        return []
    shown = ", ".join(f"{name} in {path}" for path, name in sorted(clusters.items()))
    return [
        Problem(
            Code.FD128,
            "the inventories of this run",
            f"{len(set(clusters.values()))} clusters ({shown})",
            "one",
            "Run the playbook once for each: in one run their hosts would become one cluster.",
        )
    ]


def check_one_cluster(names: Mapping[str, str], directories: Mapping[str, str]) -> list[Problem]:
    """A problem when the hosts are those of several clusters, or when the place of their files is not clear.

    Arguments:
        names: a host of each ``airflow_cluster_name`` that hosts have.
        directories: a host of each inventory directory that hosts come from; empty when variables say where the files
        of the cluster are.

    """
    where = "the hosts of this run"
    if len(names) > 1:
        shown = ", ".join(f"{name} of host {host}" for name, host in sorted(names.items()))
        remedy = (
            "Keep one inventory for each cluster and run the playbook once for each, or correct airflow_cluster_name."
        )
        return [Problem(Code.FD128, where, f"{len(names)} clusters ({shown})", "one", remedy)]
    if len(directories) > 1:
        shown = ", ".join(f"{directory} of host {host}" for directory, host in sorted(directories.items()))
        remedy = (
            "Run the playbook once for each cluster. When it is one cluster, set airflow_secrets_file, "
            "airflow_certificates_file and airflow_ca_file: its files cannot be beside several inventories."
        )
        return [
            Problem(Code.FD128, where, f"hosts from {len(directories)} inventory directories ({shown})", "one", remedy)
        ]
    return []


# RabbitMQ keeps names that begin with amq. for itself.
_QUEUE_NAME = re.compile(r"(?!amq\.)[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def check(hosts: Iterable[Host], settings: Settings) -> list[Problem]:
    """Everything that is wrong with the inventory as a whole; empty when it can be deployed."""
    hosts = list(hosts)
    problems: list[Problem] = []
    broker = broker_model.broker_of(settings)
    unneeded = {*OPTIONAL, *services.BROKER_GROUPS} - {broker.group}
    if metastore.is_external(settings):
        unneeded.add("metastore")
    # What takes the place of a group's hosts.
    instead = {"metastore": ", or set airflow_metastore_url", broker.group: ", or set airflow_broker_url"}
    for group in GROUPS:
        if group not in unneeded and not any(group in host.groups for host in hosts):
            remedy = f"Add a host to airflow_{group} in the inventory{instead.get(group, '')}."
            problems.append(Problem(Code.FD101, f"group airflow_{group}", "no host", "at least one host", remedy))
    holds = ports.conditions(hosts, settings)
    for service in services.SERVICES:
        count = sum(service.name in host.groups for host in hosts)
        for condition, remedy in service.needs.items():
            if count and condition not in holds:
                found = f"{count} host{'s' if count > 1 else ''}"
                problems.append(
                    Problem(Code.FD159, f"group airflow_{service.name}", found, "no host in this cluster", remedy)
                )
    problems += metastore_validation.check(sum("metastore" in host.groups for host in hosts), settings)
    brokers = sum("rabbitmq" in host.groups for host in hosts)
    if brokers and brokers not in (1, 3, 5):
        problems.append(
            Problem(
                Code.FD102,
                "group airflow_rabbitmq",
                f"{brokers} hosts",
                "1, 3 or 5",
                "An even number tolerates no more failures than one host less: add or remove one.",
            )
        )
    members = {group: [host.name for host in hosts if group in host.groups] for group in services.BROKER_GROUPS}
    problems += broker_validation.check(members, settings, served_queues(hosts))
    problems += ha.check(hosts, settings)
    problems += backups.check(hosts)
    problems += backups.check_bucket(settings)
    problems += backups.check_dumps(hosts, settings)
    problems += modes.check(hosts, settings)
    problems += login.check(settings)
    problems += monitoring.check(hosts, settings)
    version = settings.version
    problems += check_version(version, allowed=settings.allow_untested_version)
    problems += _check_queues(hosts)
    problems += _check_addresses(hosts)
    problems += _check_names(hosts, settings)
    problems += _check_families(hosts)
    problems += _check_ports(hosts, settings)
    if settings.firewall:
        problems += firewall.check(
            {host.name: host.address for host in hosts},
            settings,
            {host.name: host.firewall_extra_rules for host in hosts},
            # Without an ansible_port, the port may be in a configuration of ssh that Ansible does not know.
            {host.name: host.ssh_port for host in hosts if host.ssh_port != 22},
        )
    if has_nearest(version):
        problems += _check_connections(hosts, settings)
    problems += _check_default_queue(hosts, settings)
    problems += check_hosts({host.name: host.address for host in hosts}, members["rabbitmq"])
    return problems


def check_version(version: str, *, allowed: bool) -> list[Problem]:
    """A problem for a version that cannot be deployed, a warning for one that was not tested.

    Any patch release of a tested minor may be; another minor where it is ``allowed``, with a lock of the user's.
    """
    if version in TESTED_VERSIONS:
        return []
    tested = f"{' or '.join(TESTED_VERSIONS)}"
    minors = [each.minor for each in VERSIONS.values()]
    if has_nearest(version) and (allowed or version.rpartition(".")[0] in minors):
        remedy = "Try it on another cluster first: docs/packages.md says how its packages are chosen."
        return [Problem(Code.FD280, "airflow_version", f"{version}, which was not tested", tested, remedy)]
    expected = f"{tested}, or another patch release of {', '.join(minors)}"
    remedy = "Choose one of these; airflow_allow_untested_version allows others, with a lock of yours."
    if not has_nearest(version):
        remedy = "Choose one of these."
    return [Problem(Code.FD104, "airflow_version", repr(version), expected, remedy)]


def _check_queues(hosts: list[Host]) -> list[Problem]:
    workers = [host for host in hosts if "worker" in host.groups]
    # A bad name that is in the list twice is one mistake.
    found = [
        (host.name, problem)
        for host in workers
        for problem in dict.fromkeys(_check_queue_names([queue.name for queue in host.queues]))
    ]
    return on_hosts(found, everybody=len(workers))


def _check_queue_names(names: list[str]) -> list[Problem]:
    """Problems of the queues of one worker."""
    where = "airflow_worker_queues"
    problems = []
    if not names:
        remedy = "Name the queues, for example [default]."
        problems.append(Problem(Code.FD105, where, "an empty list", "at least one queue", remedy))
    expected = "1 to 63 letters, digits, '_', '.' or '-', a letter or digit first, not beginning with 'amq.'"
    remedy = "The queue's name becomes part of a service's name: choose a plain one."
    # One without a name is a problem of its entry.
    names = [name for name in names if name]
    for name in names:
        if not _QUEUE_NAME.fullmatch(name):
            problems.append(Problem(Code.FD106, where, repr(name), expected, remedy))
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(
            Problem(Code.FD107, where, f"{name!r} more than once", "each queue once", "Remove the repetition.")
        )
    return problems


def _check_default_queue(hosts: list[Host], settings: Settings) -> list[Problem]:
    """What parses DAGs gives each task its queue; its environment may have another default than airflow_config."""
    if not has_nearest(settings.version):
        return []
    environments = [host.environment for host in hosts if host.groups & {"scheduler", "dag_processor"}]
    defaults = set()
    # Without such a host, which is another problem, the cluster's options count.
    for environment in environments or [{}]:
        given = options.given_options(settings.config, environment, settings.version)
        defaults.add(next((str(one.value) for one in given if one.name == "operators.default_queue"), "default"))
    served = served_queues(hosts)
    return [problem for default in sorted(defaults) for problem in check_default_queue(served, default)]


def _check_addresses(hosts: list[Host]) -> list[Problem]:
    problems = []
    seen: dict[str, str] = {}
    for host in hosts:
        other = seen.setdefault(normal_address(host.address), host.name)
        if other != host.name:
            found = f"{host.address}, which host {other} has too"
            remedy = "Set airflow_address, or remove the second name of the same machine."
            problems.append((host.name, Problem(Code.FD108, "airflow_address", found, "one address per host", remedy)))
    return on_hosts(problems)


def _check_connections(hosts: list[Host], settings: Settings) -> list[Problem]:
    """The connections must have a limit, and the user's ``max_connections`` must be enough for the cluster."""
    if metastore.is_external(settings):
        return []
    model = Model(hosts, settings)
    limits = {}
    for host in hosts:
        names = [name for name in host.components if services.COMPONENT[name].sessions]
        if names:
            limits[host.name] = [model.pool_limit(name, host) for name in names]
    if unlimited := [name for name, found in limits.items() if None in found]:
        where = "airflow_config.database.sql_alchemy_pool_size and sql_alchemy_max_overflow"
        remedy = "Give both a number, in environments as well: max_connections of the metastore follows from it."
        problem = Problem(Code.FD129, where, "no limit of connections", "1 or more, and 0 or more", remedy)
        return on_hosts([(name, problem) for name in unlimited], everybody=len(limits))
    given = {str(name).lower(): value for name, value in settings.postgresql_config.items()}.get("max_connections")
    if not str(given).strip().isdecimal():
        return []
    need = model.connections_needed()
    if int(str(given)) >= need:
        return []
    return [
        Problem(
            Code.FD129,
            "airflow_postgresql_config.max_connections",
            str(given),
            f"at least {need}, which this cluster's processes may open",
            "Leave it out: it follows from the number of hosts.",
        )
    ]


# HAProxy binds as root: these two may be ports of the web. Its others are for hosts of the cluster.
_PUBLIC_PORTS = frozenset({"airflow_haproxy_https_port", "airflow_haproxy_web_port"})


def _check_ports(hosts: list[Host], settings: Settings) -> list[Problem]:
    problems = []
    shared = []
    holds = ports.conditions(hosts, settings)
    for host in hosts:
        found = [port for port in ports.open_ports(host, settings, holds) if port.numbers]
        # What no variable moves comes first: the other one has to be changed.
        used = {
            host.ssh_port: "the SSH server",
            **{number: port.purpose for port in found if not port.variable for number in port.numbers},
        }
        for name, number in ((port.variable, port.first) for port in found if port.variable):
            least = 1 if name in _PUBLIC_PORTS else 1024
            if not least <= number <= 65535:
                remedy = "Choose a port that needs no privilege." if least > 1 else "Choose a port."
                problems.append(Problem(Code.FD109, name, str(number), f"{least} to 65535", remedy))
            other = used.setdefault(number, name)
            if other != name:
                both = f"{other} and {name} are both {number}"
                shared.append(
                    (host.name, Problem(Code.FD110, "ports", both, "different ports", "Change one of the two."))
                )
    return list(dict.fromkeys(problems)) + on_hosts(shared, everybody=len(hosts))
