"""Files on the controller of any bytes, in clear or encrypted."""

from __future__ import annotations

import base64

import pytest
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.flightdeck.airflow.plugins.lookup.base64_file import LookupModule
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import files

BYTES = bytes(range(256))


@pytest.fixture
def loader():
    """A loader that has a password of a vault."""
    found = DataLoader()
    found.set_vault_secrets([("default", VaultSecret(b"password"))])
    return found


def test_any_bytes(tmp_path, loader):
    (tmp_path / "clear").write_bytes(BYTES)
    encrypted = VaultLib(secrets=[("default", VaultSecret(b"password"))]).encrypt(BYTES, VaultSecret(b"password"))
    (tmp_path / "encrypted").write_bytes(encrypted)
    assert files.content(loader, str(tmp_path / "clear")) == BYTES
    assert files.content(loader, str(tmp_path / "encrypted")) == BYTES
    assert LookupModule(loader=loader).run([str(tmp_path / "encrypted")]) == [base64.b64encode(BYTES).decode()]


def test_what_cannot_be_read(tmp_path, loader):
    with pytest.raises(OSError, match="there is no such file"):
        files.content(loader, str(tmp_path / "none"))
    encrypted = VaultLib(secrets=[("x", VaultSecret(b"other"))]).encrypt(BYTES, VaultSecret(b"other"))
    (tmp_path / "other").write_bytes(encrypted)
    with pytest.raises(OSError, match="it cannot be decrypted"):
        files.content(loader, str(tmp_path / "other"))
    with pytest.raises(AnsibleLookupError, match="none: there is no such file"):
        LookupModule(loader=loader).run([str(tmp_path / "none")])
