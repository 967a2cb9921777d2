# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of Kerberos: principals, keytabs and the configuration. No message holds a key."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.hosts import Host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem, on_hosts

# Version 2 of the format, which every Kerberos of today writes.
_KEYTAB = b"\x05\x02"


def principals(keytab: bytes) -> frozenset[str]:
    """The principals with a key in the content of a ``keytab``, as name/instance@REALM.

    Raises ValueError for what is no keytab.
    """
    if not keytab.startswith(_KEYTAB):
        raise ValueError("no keytab")
    found = set()
    position = len(_KEYTAB)
    try:
        while position < len(keytab):
            (size,) = struct.unpack_from(">i", keytab, position)
            position += 4
            # A negative size is that of a hole where an entry was.
            if size > len(keytab) - position:
                raise ValueError("a keytab that ends in the middle of an entry")
            if size > 0:
                found.add(_principal(keytab[position : position + size]))
            position += abs(size)
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError("a damaged keytab") from error
    return frozenset(found)


def _principal(entry: bytes) -> str:
    (count,) = struct.unpack_from(">H", entry)
    position, parts = 2, []
    # The realm, and the parts of the name.
    for _part in range(count + 1):
        (size,) = struct.unpack_from(">H", entry, position)
        parts.append(entry[position + 2 : position + 2 + size].decode())
        position += 2 + size
    realm, *name = parts
    return f"{'/'.join(name)}@{realm}"


def check(
    hosts: Iterable[Host],
    given: Mapping[str, Mapping[str, Any]],
    settings: Settings,
    read: Callable[[str], bytes],
) -> list[Problem]:
    """Problems of the ``hosts`` that renew a ticket.

    ``given`` are the variables of each host; ``read`` returns the content of a file on the controller, and raises
    OSError.
    """
    renewers = [host for host in hosts if "kerberos" in host.groups]
    if not renewers:
        if not any(values["airflow_kerberos_principal"] for values in given.values()):
            return []
        expected = "a host that renews its ticket"
        remedy = "Make the group, with airflow_worker as its child: tickets are needed where tasks run."
        return [Problem(Code.FD300, "group airflow_kerberos", "no host, and a principal", expected, remedy)]
    found = [(host.name, problem) for host in renewers for problem in _check_host(given[host.name], settings, read)]
    return [*on_hosts(found, everybody=len(list(given))), *_check_config(settings, read)]


def _check_host(values: Mapping[str, Any], settings: Settings, read: Callable[[str], bytes]) -> list[Problem]:
    principal = str(values["airflow_kerberos_principal"])
    content, path = str(values["airflow_kerberos_keytab"]), str(values["airflow_kerberos_keytab_file"])
    problems = []
    if not principal:
        remedy = "Set it for the group airflow_kerberos, or take the host out of the group."
        problems.append(
            Problem(Code.FD300, "airflow_kerberos_principal", "nothing", "the principal of the ticket", remedy)
        )
    if bool(content) == bool(path):
        both = "airflow_kerberos_keytab_file and airflow_kerberos_keytab"
        expected, remedy = "one of the two", "Give the file on the controller, or its content in base64."
        return [*problems, Problem(Code.FD301, both, "both" if content else "none", expected, remedy)]
    where = "airflow_kerberos_keytab" if content else "airflow_kerberos_keytab_file"
    try:
        known = principals(base64.b64decode(content, validate=True) if content else read(path))
    except (OSError, ValueError) as error:
        reason = "no base64" if isinstance(error, binascii.Error) else str(error)
        shown = reason if content else f"{path!r}: {reason}"
        remedy = "Make it with ktutil, or with ktadd of kadmin; base64 -w0 prints it as text."
        return [*problems, Problem(Code.FD302, where, shown, "a keytab", remedy)]
    name, _at, realm = principal.partition("@")
    wanted = f"{name}@{realm or settings.kerberos_realm}"
    # The realm may be that of a configuration which is not known here.
    if principal and not any(each == wanted or (wanted.endswith("@") and each.startswith(wanted)) for each in known):
        remedy = "Add a key of it to the keytab, or correct airflow_kerberos_principal."
        keys = f"keys of {', '.join(sorted(known)) or 'no principal'}"
        problems.append(Problem(Code.FD303, where, keys, f"a key of {wanted.rstrip('@')}", remedy))
    return problems


def _check_config(settings: Settings, read: Callable[[str], bytes]) -> list[Problem]:
    """Problems of where the KDCs are found."""
    where, path = "airflow_kerberos_config_file", settings.kerberos_config_file
    if settings.kerberos_realm and path:
        expected = "one of the two"
        return [Problem(Code.FD304, where, "a file, and airflow_kerberos_realm", expected, "Remove one of them.")]
    if settings.kerberos_kdcs and not settings.kerberos_realm:
        expected, remedy = "airflow_kerberos_realm, whose KDCs they are", "Set it, or remove the KDCs."
        return [Problem(Code.FD304, "airflow_kerberos_kdcs", "KDCs without a realm", expected, remedy)]
    if not path:
        return []
    try:
        fault = "" if "[" in read(path).decode() else "no section"
    except (OSError, UnicodeDecodeError) as error:
        fault = "no text" if isinstance(error, UnicodeDecodeError) else str(error)
    expected, remedy = "a krb5.conf on the controller", "Correct the path, or set airflow_kerberos_realm instead."
    return [Problem(Code.FD304, where, f"{path!r}: {fault}", expected, remedy)] if fault else []
