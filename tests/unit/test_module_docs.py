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


def ansible_doc(*arguments):
    command = [
        Path(sys.executable).parent / "ansible-doc",
        *arguments,
        *(f"flightdeck.airflow.{name}" for name in MODULES),
    ]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=300)


@pytest.fixture(scope="module")
def docs():
    done = ansible_doc("--json")
    assert done.returncode == 0, done.stderr
    return {name.rpartition(".")[2]: entry for name, entry in json.loads(done.stdout).items()}


def test_the_documentation_can_be_shown_as_text():
    # JSON takes what text does not: a sentence with a colon, which YAML reads as a dictionary.
    done = ansible_doc()
    assert done.returncode == 0, done.stderr
    assert all(f"flightdeck.airflow.{name}" in done.stdout for name in MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_it_does_in_check_and_diff_mode(docs, name):
    attributes = docs[name]["doc"]["attributes"]
    assert set(attributes) == {"check_mode", "diff_mode"}
    assert all(entry["support"] in ("full", "none") and entry["description"] for entry in attributes.values())
    assert docs[name]["examples"]
