"""Files of secrets beside what the user already has there."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import vault_file


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
