"""Files of secrets beside what the user already has there."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import secrets_file, vault_file


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


def test_the_state_of_a_rotation_is_beside_the_secrets_and_is_none_of_them(tmp_path):
    path = tmp_path / "airflow_secrets.yml"
    secrets_file.write(DataLoader(), path, {"fernet_key": "one"}, {"next_fernet_key": "two"})
    assert set(vault_file.read(DataLoader(), path)) == {"airflow_fernet_key", "__airflow_rotation"}
    assert secrets_file.read(DataLoader(), path) == ({"fernet_key": "one"}, {"next_fernet_key": "two"})
    path.write_text("__other_rotation: {}\n")
    with pytest.raises(AnsibleActionFail, match="not a file of airflow_"):
        secrets_file.read(DataLoader(), path)


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
