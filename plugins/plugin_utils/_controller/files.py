# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on the controller that may be encrypted with ansible-vault and hold any bytes."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader


def content(loader: DataLoader, path: str) -> bytes:
    """The content of the file ``path``, decrypted. Raises OSError, whose text says why in words."""
    file = Path(os.path.expanduser(path))
    try:
        real = loader.get_real_file(str(file))
    except AnsibleError as error:
        raise OSError("it cannot be decrypted" if file.is_file() else "there is no such file") from error
    try:
        return Path(real).read_bytes()
    except OSError as error:
        raise OSError(error.strerror) from error
    finally:
        loader.cleanup_tmp_file(real)


def write_report(name: str, document: object) -> None:
    """Write ``document`` as JSON into the file that the user calls ``name``, where every account may read it.

    Raises OSError.
    """
    file = Path(os.path.abspath(os.path.expanduser(name)))
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write(file, json.dumps(document, indent=1) + "\n", 0o644)


def write(file: Path, text: str, mode: int) -> None:
    """Write ``text`` into the ``file`` of ``mode``, at once: what reads it meanwhile has the old or the new
    one. Raises OSError."""
    half = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
            os.fchmod(stream.fileno(), mode)
        os.replace(half, file)
    except OSError:
        half.unlink(missing_ok=True)
        raise
