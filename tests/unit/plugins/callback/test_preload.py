"""What a task finds loaded."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]

# In an interpreter of its own: the modules of this one were loaded by other tests.
PROGRAM = """
import sys
from ansible.plugins import loader

loader.init_plugin_loader()
from ansible_collections.flightdeck.airflow.plugins.callback import preload

preload.CallbackModule().v2_playbook_on_start()
before = set(sys.modules)
for name in ("flightdeck.airflow.backing_services", "flightdeck.airflow.upgrade_table", "ansible.builtin.bool"):
    assert loader.filter_loader.get(name), name
assert loader.test_loader.get("ansible.builtin.truthy")
for name in ("service", "config_files", "preflight"):
    assert loader.action_loader.get(f"flightdeck.airflow.{name}", class_only=True), name
print(*sorted(set(sys.modules) - before))
"""


def test_a_task_loads_no_filter_and_no_action_plugin():
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


@pytest.mark.parametrize("path", ["ansible.cfg", "docs/ansible.cfg"])
def test_the_recommended_configurations_enable_every_callback(path):
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / path)
    enabled = [name.strip() for name in parser["defaults"]["callbacks_enabled"].split(",")]
    present = [file.stem for file in (ROOT / "plugins/callback").glob("*.py")]
    assert sorted(enabled) == sorted(f"flightdeck.airflow.{name}" for name in present)
