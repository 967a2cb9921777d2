"""The documentation of all modules, filters and entry points of roles, as Ansible reads it."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILTERS = ROOT / "plugins/filter"
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))


def ansible_doc(*arguments, names=MODULES):
    full_names = [f"flightdeck.airflow.{name}" for name in names]
    command = [Path(sys.executable).parent / "ansible-doc", *arguments, *full_names]
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


def test_the_documentation_of_the_filters_is_what_the_code_says():
    rendered = runpy.run_path(str(ROOT / ".config/render_filters.py"))["render"]()
    written = {path: path.read_text() for path in FILTERS.glob("*.yml")}
    assert written == {FILTERS / path.name: text for path, text in rendered.items()}, "make docs"


def test_ansible_doc_shows_every_filter():
    done = ansible_doc("--type=filter", names=sorted(path.stem for path in FILTERS.glob("*.yml")))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", sorted(ROOT.glob("roles/*/meta/argument_specs.yml")), ids=lambda path: path.parts[-3])
def test_every_entry_point_has_a_description(path):
    points = yaml.safe_load(path.read_text())["argument_specs"]
    said = {name: spec.get("description") for name, spec in points.items()}
    # A sentence with a colon would be a dictionary.
    assert all(lines and all(isinstance(line, str) for line in lines) for lines in said.values()), said
