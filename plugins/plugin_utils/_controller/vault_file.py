# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secret files on the controller: read, locked against other runs, written whole, encrypted when a vault password
is configured."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from ansible import constants as C
from ansible.parsing.vault import VaultLib, match_encrypt_secret
from ansible_collections.flightdeck.airflow.plugins.module_utils import _files

# For all to read and the user alone to write.
PUBLIC = 0o644


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock for writing ``path``, and creates its directory."""
    _files.ensure_parents(str(path))
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


class _Dumper(yaml.SafeDumper):
    """Indents lists, as linters want it of an inventory."""

    def increase_indent(self, flow: bool = False, *_indentless: bool, **_named: bool) -> None:
        super().increase_indent(flow, False)


def read(loader: Any, path: Path) -> Any:
    """The YAML document in ``path``, decrypted; None when there is no file."""
    return loader.load_from_file(str(path), cache="none", unsafe=True) if path.exists() else None


def write(loader: Any, path: Path, document: Any, heading: str) -> None:
    """Write ``document`` as YAML, readable by its owner only; what is not encrypted is kept out of git."""
    text = f"{heading}---\n" + yaml.dump(
        document, Dumper=_Dumper, allow_unicode=True, default_flow_style=False, width=1000
    )
    if secrets := _secrets(loader):
        text = _encrypted(text, secrets, _identity_of(path))
    else:
        _ignore(path)
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        # What follows may remove the only other copy.
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, path)


def write_public(path: Path, text: str, mode: int = PUBLIC) -> None:
    """Write ``text``, which is no secret, whole and with ``mode``, whatever the umask is."""
    _files.write_text(str(path.resolve()), text, -1, -1, mode)


def identities(loader: Any) -> list[str]:
    """The vault ids for which this run has a password, the preferred one first."""
    return [str(identity) for identity, _secret in _secrets(loader)]


def _secrets(loader: Any) -> list[tuple[str, Any]]:
    """Vault ids with their secrets.

    The loader has a method that sets them and none that gets them: this is the only place that reads the attribute
    behind it, which is the same in ansible-core 2.17 to 2.20.
    """
    return list(loader._vault.secrets or ())


def _encrypted(text: str, secrets: list[tuple[str, Any]], present: str) -> str:
    """``text`` encrypted as ansible-vault does it: with ``vault_encrypt_identity``, else with ``present``, the file's
    own, else the first.

    Raises AnsibleVaultError when ``vault_encrypt_identity`` names one without a password.
    """
    known = [identity for identity, _secret in secrets]
    wanted = C.DEFAULT_VAULT_ENCRYPT_IDENTITY or (present if present in known else None)
    identity, secret = match_encrypt_secret(secrets, encrypt_vault_id=wanted)
    return VaultLib(secrets).encrypt(text, secret, vault_id=identity).decode()


def encrypted(path: Path) -> bool:
    """Whether there is a file at ``path``, and it is encrypted."""
    return bool(_heading(path))


def _heading(path: Path) -> list[str]:
    """The fields of the heading of an encrypted file."""
    fields = path.read_text(encoding="utf-8").partition("\n")[0].split(";") if path.exists() else []
    return fields if fields[:1] == ["$ANSIBLE_VAULT"] else []


def _identity_of(path: Path) -> str:
    """The vault id in the heading of an encrypted file; empty when it has none."""
    heading = _heading(path)
    return heading[3].strip() if len(heading) > 3 else ""


def _ignore(path: Path) -> None:
    ignore = path.parent / ".gitignore"
    ignored = ignore.read_text(encoding="utf-8") if ignore.exists() else ""
    if path.name not in ignored.splitlines():
        gap = "" if not ignored or ignored.endswith("\n") else "\n"
        mode = stat.S_IMODE(ignore.stat().st_mode) if ignore.exists() else PUBLIC
        write_public(ignore, f"{ignored}{gap}{path.name}\n", mode)
