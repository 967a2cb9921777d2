# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of Ansible's own variables about the connection to a host, as far as the controller can know them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible.errors import AnsibleError
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.codes import Code
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation.problem import Problem

# Where both are set, Ansible takes the first one.
_HOST = ("ansible_ssh_host", "ansible_host")
_PORT = ("ansible_ssh_port", "ansible_port")
_SECRET = (
    "ansible_become_pass",
    "ansible_become_password",
    "ansible_password",
    "ansible_ssh_pass",
    "ansible_ssh_password",
)
_OTHERS = (
    "ansible_become",
    "ansible_become_method",
    "ansible_become_user",
    "ansible_connection",
    "ansible_private_key_file",
    "ansible_ssh_common_args",
    "ansible_ssh_extra_args",
    "ansible_ssh_private_key_file",
    "ansible_ssh_user",
    "ansible_user",
)
_SSH_PORT = 22
TEMPLATE_REMEDY = "Correct the template or what it uses; an encrypted value needs its vault password."


def failing(place: str, error: AnsibleError, remedy: str, *, secret: bool, what: str = "template or vault") -> Problem:
    """The problem of a variable, or of a part of one at ``place``, whose value, a ``what``, could not be computed."""
    # The text of an error can hold what a secret is made of.
    detail = "" if secret else f" ({str(error).splitlines()[0][:200]})"
    return Problem(Code.FD125, f"variable {place}", f"a {what} that fails{detail}", "a value", remedy)


@dataclass(frozen=True)
class Connection:
    """How Ansible reaches a host, and what is wrong with that. ``address`` is empty when it is the name of the host."""

    address: str
    port: int
    problems: tuple[Problem, ...]


def read(names: Mapping[str, Any], value: Callable[[str], Any]) -> Connection:
    """The connection to a host.

    Arguments:
        names: the variables that the host has.
        value: returns the value of one of them; raises AnsibleError for a template that fails.

    """
    found: dict[str, Any] = {}
    problems: list[Problem] = []
    for name in (*_HOST, *_PORT, *_SECRET, *_OTHERS):
        if name not in names:
            continue
        try:
            found[name] = value(name)
        except AnsibleError as error:
            problems.append(failing(name, error, TEMPLATE_REMEDY, secret=name in _SECRET))
    for name in (name for name in _HOST if name in found):
        if not found[name]:
            problems.append(
                Problem(
                    Code.FD121, f"variable {name}", "no value", "an address or a host name", "Set it, or leave it out."
                )
            )
    for name in (name for name in _PORT if name in found):
        if not _port(found[name]):
            problems.append(
                Problem(
                    Code.FD121,
                    f"variable {name}",
                    repr(found[name]),
                    "a port, 1 to 65535",
                    "Correct it, or leave it out: it is 22.",
                )
            )
    address = next((str(found[name]) for name in _HOST if found.get(name)), "")
    port = next((number for name in _PORT if (number := _port(found.get(name)))), _SSH_PORT)
    return Connection(address, port, tuple(problems))


def _port(value: Any) -> int:
    """``value`` as a port; 0 for what is none."""
    text = str(value)
    return int(text) if text.isdecimal() and 0 < int(text) < 65536 else 0
