"""The definition of an execution environment, as far as it goes without a registry of images."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
BUILDER = Path(sys.executable).parent / "ansible-builder"


def builder(*arguments):
    done = subprocess.run([BUILDER, *arguments], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_context_with_the_collection_and_the_ansible_that_is_tested(tmp_path):
    builder(
        "create", "--file", "execution-environment.yml", "--context", tmp_path, "--output-filename", "Containerfile"
    )
    recipe = (tmp_path / "Containerfile").read_text()
    (tested,) = re.findall(r"^(ansible-core\S+)$", (ROOT / "requirements-up.in").read_text(), re.MULTILINE)
    assert f'"{tested}"' in recipe or f"{tested} " in recipe
    collections = yaml.safe_load((tmp_path / "_build/requirements.yml").read_text())["collections"]
    assert "flightdeck.airflow" in [each["name"] for each in collections]


def test_packages_of_the_system_are_found_in_the_collection():
    found = yaml.safe_load(builder("introspect", ROOT / ".collections"))
    assert found["python"] in ([], {})
    ours = [line.split()[0] for line in found["system"] if line.endswith("from collection flightdeck.airflow")]
    assert ours == ["git", "openssh-client", "git-core", "openssh-clients"]
