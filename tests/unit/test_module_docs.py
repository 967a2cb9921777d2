"""The documentation of all modules, as Ansible reads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))


@pytest.fixture(scope="module")
def docs():
    command = [
        Path(sys.executable).parent / "ansible-doc",
        "--json",
        *(f"flightdeck.airflow.{name}" for name in MODULES),
    ]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=300, check=True)
    return {name.rpartition(".")[2]: entry for name, entry in json.loads(done.stdout).items()}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_it_does_in_check_and_diff_mode(docs, name):
    attributes = docs[name]["doc"]["attributes"]
    assert set(attributes) == {"check_mode", "diff_mode"}
    assert all(entry["support"] in ("full", "none") and entry["description"] for entry in attributes.values())
    assert docs[name]["examples"]
