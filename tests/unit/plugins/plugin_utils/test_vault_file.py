"""Files of secrets beside what the user already has there."""

from __future__ import annotations

import os

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import (
    certificates_file,
    secrets_file,
    vault_file,
)
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.identity import Identity


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("*.bak\n", "*.bak\nairflow_secrets.yml\n"),
        ("*.bak", "*.bak\nairflow_secrets.yml\n"),
        ("airflow_secrets.yml\n", "airflow_secrets.yml\n"),
    ],
)
def test_the_file_is_kept_out_of_git_whatever_else_is(tmp_path, before, after):
    ignore = tmp_path / ".gitignore"
    ignore.write_text(before)
    vault_file.write(DataLoader(), tmp_path / "airflow_secrets.yml", {"airflow_cookie": "made"}, "# Made\n")
    assert vault_file.read(DataLoader(), tmp_path / "airflow_secrets.yml") == {"airflow_cookie": "made"}
    assert ignore.read_text() == after


def test_only_the_owner_writes_what_everybody_may_read(tmp_path):
    before = os.umask(0)
    try:
        vault_file.write(DataLoader(), tmp_path / "airflow_secrets.yml", {"airflow_cookie": "made"}, "# Made\n")
        vault_file.write_public(tmp_path / "ca.crt", "CA")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"airflow_secrets.yml": 0o600, ".gitignore": 0o644, "ca.crt": 0o644}


PROD = Identity(name="prod", hosts={"db1": "192.0.2.31"}, inventories=("hosts.yml",))


def test_the_state_of_a_rotation_and_the_cluster_are_beside_the_secrets_and_are_none_of_them(tmp_path):
    path = tmp_path / "airflow_secrets.yml"
    content = secrets_file.Content({"fernet_key": "one"}, {"next_fernet_key": "two"}, PROD)
    secrets_file.write(DataLoader(), path, content)
    assert set(vault_file.read(DataLoader(), path)) == {"airflow_fernet_key", "__airflow_rotation", "__airflow_cluster"}
    assert secrets_file.read(DataLoader(), path) == content
    assert "one" not in repr(content)
    for other in ("__other_rotation: {}\n", "airflow_version: 3.3.2\n"):
        path.write_text(other)
        with pytest.raises(AnsibleActionFail, match="not a file of secrets"):
            secrets_file.read(DataLoader(), path)


def test_certificates_are_kept_with_the_cluster_that_they_are_of(tmp_path):
    path = tmp_path / "certificates.yml"
    pair = {"certificate": "one", "key": "two"}
    assert certificates_file.read(DataLoader(), path) == (None, None)
    certificates_file.write(DataLoader(), path, {"ca": pair, "hosts": {"db1": pair}}, PROD)
    assert certificates_file.read(DataLoader(), path) == ({"ca": pair, "hosts": {"db1": pair}}, PROD)
    path.write_text("other: {}\n")
    with pytest.raises(AnsibleActionFail, match="not a file of certificates"):
        certificates_file.read(DataLoader(), path)


PASSWORDS = {"dev": b"one", "prod": b"two"}
PATH = "airflow_secrets.yml"


def loader(*identities):
    found = DataLoader()
    found.set_vault_secrets([(identity, VaultSecret(PASSWORDS[identity])) for identity in identities])
    return found


def heading(folder):
    return (folder / PATH).read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("configured", "present", "given", "wanted"),
    [
        (None, None, ("dev", "prod"), "dev"),
        ("prod", None, ("dev", "prod"), "prod"),
        # As ansible-vault edit: a file stays with the identity that it has, unless another one is configured.
        (None, "prod", ("dev", "prod"), "prod"),
        ("dev", "prod", ("dev", "prod"), "dev"),
        (None, "prod", ("dev",), "dev"),
    ],
)
def test_the_file_is_encrypted_with_the_identity_that_is_configured(
    tmp_path, monkeypatch, configured, present, given, wanted
):
    if present:
        vault_file.write(loader(present), tmp_path / PATH, {"airflow_cookie": "old"}, "# Made\n")
        assert heading(tmp_path).endswith(f";{present}")
    monkeypatch.setattr("ansible.constants.DEFAULT_VAULT_ENCRYPT_IDENTITY", configured)
    vault_file.write(loader(*given), tmp_path / PATH, {"airflow_cookie": "made"}, "# Made\n")
    assert heading(tmp_path) == f"$ANSIBLE_VAULT;1.2;AES256;{wanted}"
    assert vault_file.read(loader(wanted), tmp_path / PATH) == {"airflow_cookie": "made"}


def test_an_identity_without_a_password_is_an_error_and_leaves_the_file(tmp_path, monkeypatch):
    vault_file.write(loader("dev"), tmp_path / PATH, {"airflow_cookie": "old"}, "# Made\n")
    monkeypatch.setattr("ansible.constants.DEFAULT_VAULT_ENCRYPT_IDENTITY", "prod")
    with pytest.raises(AnsibleError, match="prod"):
        vault_file.write(loader("dev"), tmp_path / PATH, {"airflow_cookie": "made"}, "# Made\n")
    assert vault_file.read(loader("dev"), tmp_path / PATH) == {"airflow_cookie": "old"}
    assert vault_file.identities(loader("dev", "prod")) == ["dev", "prod"]
    assert vault_file.identities(DataLoader()) == []
