"""Forms of host names and addresses."""

from __future__ import annotations

import ipaddress
import re

_HOST_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?"
)


def is_address(value: str) -> bool:
    """Whether ``value`` is an IP address without a prefix or zone."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


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


LOOPBACK = "127.0.0.1"


def cidr(address: str) -> str:
    """``address`` as pg_hba.conf and HAProxy want a single peer: with its full prefix length, a name as it is."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return f"{parsed}/{parsed.max_prefixlen}"
