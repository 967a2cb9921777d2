# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forms of host names and addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence

_HOST_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?"
)


def is_address(value: str) -> bool:
    """Whether ``value`` is an IP address without a prefix or zone."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    # Python takes a zone such as fe80::1%eth0, which is of use on one host only.
    return "%" not in value


def is_host(value: str) -> bool:
    """Whether ``value`` is an IP address or a host name."""
    if is_address(value):
        return True
    # Something of digits and dots only is a mistyped address, not a name.
    return bool(_HOST_NAME.fullmatch(value)) and not re.fullmatch(r"[\d.]+", value)


def normal_address(address: str) -> str:
    """``address`` in the one form that equal addresses share: IPv6 compressed, names in lower case without the last
    dot."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address.lower().rstrip(".")


LOOPBACK, LOOPBACK_6 = "127.0.0.1", "::1"


def canonical(address: str) -> str:
    """``address`` as programs print it, IPv6 compressed and in lower case; a name, or what is neither, as it is."""
    return str(ipaddress.ip_address(address)) if is_address(address) else address


def is_ipv6(address: str) -> bool:
    """Whether ``address`` is an IPv6 address."""
    return is_address(address) and ":" in address


def unusable(address: str) -> str:
    """Why not all hosts can reach one at the IP ``address``, such as "a multicast address"; empty when they can.

    Loopback addresses are not among them: a cluster of one host may use them.
    """
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        return f"an IPv4 address in the form of IPv6; write {parsed.ipv4_mapped}"
    if parsed.is_unspecified:
        return "the address of no host"
    if parsed.is_multicast:
        return "a multicast address"
    if str(parsed) == "255.255.255.255":
        return "a broadcast address"
    # It means something on one network interface only, which an address alone cannot name.
    return "a link-local address" if parsed.version == 6 and parsed.is_link_local else ""


def cidr(address: str) -> str:
    """``address`` as pg_hba.conf and HAProxy want a single peer: with its full prefix length, a name as it is."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return f"{parsed}/{parsed.max_prefixlen}"


def resolved(hosts: Iterable[str], names: Mapping[str, Sequence[str]]) -> list[str]:
    """``hosts`` with each name replaced by the addresses that ``names`` has of it; a name without any stays."""
    return list(dict.fromkeys(address for host in hosts for address in names.get(host) or [host]))
