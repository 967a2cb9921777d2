"""Files of secrets beside what the user already has there."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
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
