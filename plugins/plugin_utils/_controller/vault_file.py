"""Secret files on the controller: read, locked against other runs, written whole, encrypted when a vault password is configured."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.vault import VaultLib


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else who asks for the same lock writes ``path`` meanwhile; makes its directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
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
    text = f"{heading}---\n" + yaml.dump(document, Dumper=_Dumper, allow_unicode=True, default_flow_style=False, width=1000)
    vault = loader._vault
    if vault is not None and vault.secrets:
        text = VaultLib(vault.secrets).encrypt(text).decode()
    else:
        _ignore(path)
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.replace(temporary, path)


def _ignore(path: Path) -> None:
    ignore = path.parent / ".gitignore"
    ignored = ignore.read_text(encoding="utf-8") if ignore.exists() else ""
    if path.name not in ignored.splitlines():
        gap = "" if not ignored or ignored.endswith("\n") else "\n"
        ignore.write_text(f"{ignored}{gap}{path.name}\n", encoding="utf-8")
