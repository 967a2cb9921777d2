"""Files on the controller that may be encrypted with ansible-vault and hold any bytes."""

from __future__ import annotations

from pathlib import Path

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader


def content(loader: DataLoader, path: str) -> bytes:
    """The content of the file ``path``, decrypted. Raises OSError, whose text says why in words."""
    file = Path(path).expanduser()
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
