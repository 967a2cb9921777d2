"""Checks of the inventory's groups and of the names and addresses of its hosts."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._problem import Problem
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._values import is_address, is_host

PREFIX = "airflow_"
# Name of a host where it is not an address: it becomes part of names in HAProxy, RabbitMQ and /etc/hosts.
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


def normal_address(address: str) -> str:
    """``address`` in the one form that equal addresses share: IPv6 compressed, names in lower case without the last dot."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address.lower().rstrip(".")


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
            remedy = f"Did you mean {close[0]}?" if close else f"Put its hosts into a group of ours: {', '.join(sorted(known))}."
            problems.append(Problem("FD123", f"group {group}", "an unknown group", "a group of the collection", remedy))
    return problems


def check_hosts(hosts: Mapping[str, str], brokers: Sequence[str]) -> list[Problem]:
    """Problems with names and addresses. ``hosts`` maps names to the addresses that the others use; ``brokers`` are RabbitMQ's hosts."""
    problems = []
    for name, address in hosts.items():
        if not (_NAME.fullmatch(name) or is_address(name)):
            problems.append(
                Problem(
                    "FD118", f"host {name!r}", "its name", "letters, digits, '.', '_' or '-'", "Rename it; ansible_host says where it is."
                )
            )
        problems += _check_address(name, address, alone=len(hosts) == 1)
    for name in brokers:
        if "_" in name or ":" in name:
            problems.append(
                Problem(
                    "FD118", f"host {name} of airflow_rabbitmq", "its name", "a name that DNS knows", "Erlang needs one: no '_' and no ':'."
                )
            )
        elif len(brokers) > 1 and name.partition(".")[0] == "localhost":
            problems.append(
                Problem(
                    "FD118", f"host {name} of airflow_rabbitmq", "a name that is another host on each", "a name of its own", "Rename it."
                )
            )
    if 0 < sum("." in name for name in brokers) < len(brokers):
        short = next(name for name in brokers if "." not in name)
        problems.append(
            Problem(
                "FD118",
                "group airflow_rabbitmq",
                f"names with and without a domain (host {short})",
                "names of one kind",
                "Erlang nodes with long and with short names do not talk to each other: rename them.",
            )
        )
    return problems


def _check_address(name: str, address: str, alone: bool) -> list[Problem]:
    where = f"airflow_address of host {name}"
    if not is_host(address):
        expected = "an IP address or a host name, without port and scheme"
        return [Problem("FD118", where, repr(address), expected, "Set airflow_address, or correct ansible_host.")]
    if normal_address(address) == "localhost" or (is_address(address) and ipaddress.ip_address(address).is_loopback):
        if alone:
            return []
        return [Problem("FD118", where, address, "an address that the other hosts reach", "Set airflow_address to the host's own address.")]
    if is_address(address):
        parsed = ipaddress.ip_address(address)
        if parsed.is_unspecified or parsed.is_multicast or address == "255.255.255.255":
            return [Problem("FD118", where, address, "the address of one host", "Set airflow_address to the host's own address.")]
    return []


def check_default_queue(queues: Mapping[str, Iterable[str]], default: str) -> list[Problem]:
    """A problem when no worker serves the queue of tasks that name none. ``queues`` maps queues to their hosts."""
    if not queues or default in queues:
        return []
    return [
        Problem(
            "FD114",
            "airflow_worker_queues",
            f"no worker for {default!r}, the queue of all tasks that name none",
            f"a worker of it, or another default than {', '.join(sorted(queues))} lack",
            f"Add {default} to a worker, or set airflow_config.operators.default_queue to a queue that a worker serves.",
        )
    ]


def check_sources(clusters: Mapping[str, str]) -> list[Problem]:
    """A problem when one run reads the inventories of several clusters. ``clusters`` maps an inventory to the name of its cluster."""
    if len(set(clusters.values())) < 2:
        return []
    shown = ", ".join(f"{name} in {path}" for path, name in sorted(clusters.items()))
    return [
        Problem(
            "FD128",
            "the inventories of this run",
            f"{len(set(clusters.values()))} clusters ({shown})",
            "one",
            "Run the playbook once for each: in one run their hosts would become one cluster.",
        )
    ]
