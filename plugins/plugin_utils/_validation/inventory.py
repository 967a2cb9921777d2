"""Checks of the inventory: groups, hosts, their addresses, ports and queues."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import services
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import GROUPS, OPTIONAL
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.versions import SUPPORTED_VERSIONS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import broker as broker_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import metastore, ports
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.addresses import (
    is_address,
    is_host,
    normal_address,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.cluster import Model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host, served_queues
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import broker as broker_validation
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import firewall, ha, modes
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import metastore as metastore_validation
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem, on_hosts

PREFIX = "airflow_"
# Name of a host where it is not an address: it becomes part of names in HAProxy, RabbitMQ and /etc/hosts.
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


def check_groups(groups: Mapping[str, Sequence[str]], known: Iterable[str]) -> list[Problem]:
    """A problem for every group that looks like ours and is not: a near miss, or one whose hosts are in none of ours.

    ``known`` are the names of our groups; any other ``airflow_*`` group may hold variables for hosts of ours.
    """
    known = set(known)
    ours = {host for group in known for host in groups.get(group, [])}
    problems = []
    for group in sorted(groups):
        plain = group.replace("-", "_").lower()
        if group in known or not plain.startswith(PREFIX) or not groups[group]:
            continue
        close = difflib.get_close_matches(plain, known, n=1, cutoff=0.85)
        lost = [host for host in groups[group] if host not in ours]
        if close or lost:
            remedy = (
                f"Did you mean {close[0]}?"
                if close
                else f"Put its hosts into a group of ours: {', '.join(sorted(known))}."
            )
            problems.append(
                Problem(Code.FD123, f"group {group}", "an unknown group", "a group of the collection", remedy)
            )
    return problems


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
                    "letters, digits, '.', '_' or '-'",
                    "Rename it; ansible_host says where it is.",
                )
            )
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
    if is_address(address):
        parsed = ipaddress.ip_address(address)
        if parsed.is_unspecified or parsed.is_multicast or address == "255.255.255.255":
            return [
                Problem(
                    Code.FD118,
                    where,
                    address,
                    "the address of one host",
                    "Set airflow_address to the host's own address.",
                )
            ]
    return []


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
    problems += modes.check(hosts, settings)
    version = settings.version
    if version not in SUPPORTED_VERSIONS:
        problems.append(
            Problem(
                Code.FD104,
                "airflow_version",
                repr(version),
                " or ".join(SUPPORTED_VERSIONS),
                "Choose a version that the collection has a lock for and tests.",
            )
        )
    problems += _check_queues(hosts)
    problems += _check_addresses(hosts)
    problems += _check_ports(hosts, settings)
    if settings.firewall:
        problems += firewall.check(
            {host.name: host.address for host in hosts},
            settings,
            {host.name: host.firewall_extra_rules for host in hosts},
            # Without an ansible_port, the port may be in a configuration of ssh that Ansible does not know.
            {host.name: host.ssh_port for host in hosts if host.ssh_port != 22},
        )
    if version in SUPPORTED_VERSIONS:
        problems += _check_connections(hosts, settings)
    problems += _check_default_queue(hosts, settings)
    problems += check_hosts({host.name: host.address for host in hosts}, members["rabbitmq"])
    return problems


def _check_queues(hosts: list[Host]) -> list[Problem]:
    problems = []
    where = "airflow_worker_queues"
    workers = [host for host in hosts if "worker" in host.groups]
    for host in workers:
        names = [queue.name for queue in host.queues]
        found = []
        if not names:
            found.append(
                Problem(
                    Code.FD105, where, "an empty list", "at least one queue", "Name the queues, for example [default]."
                )
            )
        for name in names:
            if not _QUEUE_NAME.fullmatch(name):
                found.append(
                    Problem(
                        Code.FD106,
                        where,
                        repr(name),
                        "1 to 63 letters, digits, '_', '.' or '-', a letter or digit first, not beginning with 'amq.'",
                        "The queue's name becomes part of a service's name: choose a plain one.",
                    )
                )
        for name in sorted({name for name in names if names.count(name) > 1}):
            found.append(
                Problem(Code.FD107, where, f"{name!r} more than once", "each queue once", "Remove the repetition.")
            )
        # A bad name that is in the list twice is one mistake.
        problems += [(host.name, problem) for problem in dict.fromkeys(found)]
    return on_hosts(problems, everybody=len(workers))


def _check_default_queue(hosts: list[Host], settings: Settings) -> list[Problem]:
    operators = settings.config.get("operators")
    default = operators.get("default_queue") if isinstance(operators, Mapping) else None
    return check_default_queue(served_queues(hosts), str(default or "default"))


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
    """The user's ``max_connections`` must be enough for the cluster."""
    given = {str(name).lower(): value for name, value in settings.postgresql_config.items()}.get("max_connections")
    if not str(given).isdecimal() or metastore.is_external(settings):
        return []
    need = Model(hosts, settings).connections_needed()
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


def _check_ports(hosts: list[Host], settings: Settings) -> list[Problem]:
    problems = []
    shared = []
    holds = ports.conditions(hosts, settings)
    for host in hosts:
        found = [port for port in ports.open_ports(host, settings, holds) if isinstance(port.number, int)]
        # What no variable moves comes first: the other one has to be changed.
        used = {host.ssh_port: "the SSH server", **{port.first: port.purpose for port in found if not port.variable}}
        for name, number in ((port.variable, port.first) for port in found if port.variable):
            if not 1024 <= number <= 65535:
                problems.append(
                    Problem(Code.FD109, name, str(number), "1024 to 65535", "Choose a port that needs no privilege.")
                )
            other = used.setdefault(number, name)
            if other != name:
                both = f"{other} and {name} are both {number}"
                shared.append(
                    (host.name, Problem(Code.FD110, "ports", both, "different ports", "Change one of the two."))
                )
    return list(dict.fromkeys(problems)) + on_hosts(shared, everybody=len(hosts))
