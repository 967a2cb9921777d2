"""The file of made secrets beside what the user already has there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("*.bak\n", "*.bak\nairflow_secrets.yml\n"),
        ("*.bak", "*.bak\nairflow_secrets.yml\n"),
        ("airflow_secrets.yml\n", "airflow_secrets.yml\n"),
    ],
)
def test_the_file_is_kept_out_of_git_whatever_else_is(tmp_path, before, after):
    inventory = tmp_path / "inventory"
    shutil.copytree(ROOT / "inventories/prod", inventory)
    ignore = inventory / "group_vars/all/.gitignore"
    ignore.write_text(before)
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", str(inventory), str(ROOT / "site.yml")]
    command += ["--limit", "db1", "--tags", "none"]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    subprocess.run(command, capture_output=True, cwd=ROOT, env=environment, timeout=600, check=False)
    assert (ignore.parent / "airflow_secrets.yml").exists()
    assert ignore.read_text() == after
