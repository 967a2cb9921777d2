"""The module as Ansible runs it, on real files below a temporary directory."""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
ME = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}


def execute(tmp_path, *flags, **parameters):
    """Result of one execution of the module on this machine."""
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCAL_TEMP": str(tmp_path.parent / "ansible-local"),
        "ANSIBLE_REMOTE_TEMP": str(tmp_path.parent / "ansible-remote"),
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
        "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.tree",
        "ANSIBLE_CALLBACK_TREE_DIR": str(tmp_path.parent / "results"),
    }
    command = [Path(sys.executable).parent / "ansible", "localhost", "-i", "localhost,", "-c", "local", "-m", "flightdeck.airflow.files"]
    command += ["-e", f"ansible_python_interpreter={sys.executable}", "-a", json.dumps(parameters), *flags]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=600, check=False)
    path = tmp_path.parent / "results/localhost"
    assert path.exists(), done.stdout + done.stderr
    # The stored result lacks these two.
    return {**json.loads(path.read_text()), "failed": done.returncode != 0, "output": done.stdout}


@pytest.fixture
def place(tmp_path):
    target = tmp_path / "place"
    target.mkdir()
    return target


def wanted(place, content="one\n", mode="0640"):
    return {
        "directories": [{"path": str(place / "etc"), "mode": "0750", **ME}],
        "files": [{"path": str(place / "etc/a.conf"), "content": content, "mode": mode, **ME}],
        "links": [{"path": str(place / "current"), "target": "etc/a.conf"}],
        "absent": [str(place / "old")],
    }


def test_what_is_made_stays_as_it_is_until_something_differs(place):
    (place / "old").write_text("left over")
    everything = [str(place / name) for name in ("etc", "etc/a.conf", "current", "old")]

    foreseen = execute(place, "--check", "--diff", **wanted(place))
    assert foreseen["changed_paths"] == everything
    assert [path.name for path in place.iterdir()] == ["old"]

    made = execute(place, **wanted(place))
    assert made["changed_paths"] == everything
    assert (place / "current").read_text() == "one\n"
    assert (place / "etc/a.conf").stat().st_mode & 0o777 == 0o640
    assert (place / "etc").stat().st_mode & 0o777 == 0o750
    assert not (place / "old").exists()

    again = execute(place, **wanted(place))
    assert (again["changed"], again["changed_paths"]) == (False, [])

    changed = execute(place, "--diff", **wanted(place, "two\n"))
    assert changed["changed_paths"] == [str(place / "etc/a.conf")]
    assert "-one\n+two\n" in changed["output"]

    assert execute(place, **wanted(place, "two\n", "0600"))["changed_paths"] == [str(place / "etc/a.conf")]
    assert (place / "etc/a.conf").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in (place / "etc").iterdir()) == ["a.conf"]


def test_an_invalid_file_is_not_put_in_place(place):
    path = place / "a.conf"
    path.write_text("good\n")
    file = {"path": str(path), "content": "bad\n", "mode": "0644", "validate": "grep -q good %s", **ME}
    refused = execute(place, files=[file])
    assert refused["failed"]
    assert "was not changed" in refused["msg"]
    assert path.read_text() == "good\n"
    assert [each.name for each in place.iterdir()] == ["a.conf"]
    assert execute(place, files=[{**file, "content": "also good\n"}])["changed"]
    assert path.read_text() == "also good\n"


def test_a_link_is_pointed_elsewhere_and_a_mount_point_is_kept(place):
    (place / "current").symlink_to("first")
    path = place / "hosts"
    path.write_text("before\n")
    number = path.stat().st_ino
    result = execute(
        place,
        links=[{"path": str(place / "current"), "target": "second"}],
        files=[{"path": str(path), "content": "after\n", "mode": "0644", "in_place": True, **ME}],
    )
    assert result["changed_paths"] == [str(path), str(place / "current")]
    assert (place / "current").readlink() == Path("second")
    assert (path.read_text(), path.stat().st_ino) == ("after\n", number)


def test_an_unknown_owner_and_a_directory_to_remove_are_refused(place):
    refused = execute(place, files=[{"path": str(place / "a"), "content": "", "mode": "0644", "owner": "no-such-user"}])
    assert "no-such-user" in refused["msg"]
    (place / "folder").mkdir()
    assert execute(place, absent=[str(place / "folder")])["failed"]
    assert (place / "folder").is_dir()
