"""The action and its module as Ansible runs them: code is imported before it is switched to."""

from __future__ import annotations

import sys

import pytest
from test_config_files import ME, Role

# As Airflow's check: what cannot be imported is a fault.
IMPORT = """
import os, pathlib, sys
for path in sorted(pathlib.Path(sys.argv[1]).glob("*/*.py")):
    try:
        exec(compile(path.read_text(), path, "exec"))
    except Exception as error:
        sys.exit(print(f"FAULT {path.name}: {error} in {os.environ['WHERE']}") or 1)
with open(os.environ["TRIED"], "a") as stream:
    stream.write("tried\\n")
"""


@pytest.fixture
def role(tmp_path):
    return Role(tmp_path)


@pytest.fixture
def deploy(role, tmp_path):
    (tmp_path / "plugins").mkdir()

    def run(*flags, release="1", **parts):
        task = {
            "flightdeck.airflow.code_tree": {
                "plugins": str(tmp_path / "plugins"),
                "path": str(role.place / "code"),
                "group": ME["group"],
                "release": release,
                "check_command": [sys.executable, "-c", IMPORT, "%s"],
                "check_environment": {"WHERE": "%s/plugins", "TRIED": str(tmp_path / "tried")},
                **parts,
            }
        }
        return role.run(task, flags=flags)

    return run


def text(role):
    return (role.place / "code/current/plugins/a.py").read_text()


def test_code_that_can_be_imported(role, deploy, tmp_path):
    (tmp_path / "plugins/a.py").write_text("a = 1\n")
    checked = deploy("--check")
    assert checked.changed
    assert not (role.place / "code").exists()
    first = deploy()
    assert first.changed
    assert text(role) == "a = 1\n"
    second = deploy()
    assert not second.changed
    assert (tmp_path / "tried").read_text() == "tried\n"
    # Another release may lack what it imports.
    third = deploy(release="2")
    assert not third.changed
    assert (tmp_path / "tried").read_text() == "tried\n" * 2


def test_code_that_cannot_leaves_the_old(role, deploy, tmp_path):
    (tmp_path / "plugins/a.py").write_text("a = 1\n")
    deploy()
    (tmp_path / "plugins/a.py").write_text("import nothing_of_that_name\n")
    failed = deploy()
    assert failed.failed
    assert "FD256" in failed.text
    assert "a.py: No module named 'nothing_of_that_name' in " in failed.text
    assert text(role) == "a = 1\n"
    assert len(list((role.place / "code/revisions").iterdir())) == 1
    (tmp_path / "plugins/a.py").write_text("a = 2\n")
    last = deploy("--diff")
    assert last.changed
    assert "changed plugins/a.py" in last.text
    assert text(role) == "a = 2\n"
