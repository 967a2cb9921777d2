"""How a release's archive comes from a host to the controller."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.flightdeck.airflow.plugins.modules import release_archive

ROOT = Path(__file__).parents[4]
CONTENT = os.urandom(3 << 20)


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "host" / "release.tar.zst"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    path.chmod(0o600)
    return path


def offer(archive, folder, uid):
    with release_archive.offered(str(folder), archive.name, uid) as copy:
        return release_archive.digest(str(archive), copy)


def test_the_copy_is_for_the_login_alone(archive, tmp_path):
    before = os.umask(0)
    try:
        found = offer(archive, tmp_path, os.getuid())
    finally:
        os.umask(before)
    copy = tmp_path / archive.name
    assert found == hashlib.sha256(CONTENT).hexdigest()
    assert copy.read_bytes() == CONTENT
    assert (stat.S_IMODE(copy.stat().st_mode), copy.stat().st_uid) == (0o400, os.getuid())
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600


def test_a_folder_of_another_account_gets_nothing(archive, tmp_path):
    with pytest.raises(PermissionError, match="not to the login"):
        offer(archive, tmp_path, os.getuid() + 1)
    assert not (tmp_path / archive.name).exists()


def test_no_link_leads_elsewhere(archive, tmp_path):
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder.symlink_to(elsewhere)
    with pytest.raises(OSError, match="folder"):
        offer(archive, folder, os.getuid())
    folder.unlink()
    folder.mkdir()
    (folder / archive.name).symlink_to(elsewhere / "file")
    with pytest.raises(FileExistsError):
        offer(archive, folder, os.getuid())
    assert list(elsewhere.iterdir()) == []


def test_half_a_copy_does_not_stay(archive, tmp_path):
    archive.unlink()
    with pytest.raises(FileNotFoundError):
        offer(archive, tmp_path, os.getuid())
    assert not (tmp_path / archive.name).exists()


def fetch(archive, dest, *flags, umask=-1):
    """What the task returns, over a local connection, and whether it succeeded."""
    kept = dest.parents[1] / "results"
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_LOCAL_TEMP": str(dest.parents[1] / "ansible-local"),
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.tree",
        "ANSIBLE_CALLBACK_TREE_DIR": str(kept),
    }
    command = [Path(sys.executable).parent / "ansible", "localhost", "-i", "localhost,", "-c", "local"]
    command += ["-e", f"ansible_python_interpreter={sys.executable}", "-m", "flightdeck.airflow.release_archive"]
    command += ["-a", json.dumps({"path": str(archive), "dest": str(dest)}), *flags]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment, umask=umask)
    path = kept / "localhost"
    assert path.exists(), done.stdout + done.stderr
    return {**json.loads(path.read_text()), "failed": done.returncode != 0}


@pytest.mark.parametrize("umask", [0o022, 0o077, 0])
def test_the_archive_comes_whole_whatever_the_umask_is(archive, tmp_path, umask):
    dest = tmp_path / "cache/below/release-bookworm.tar.zst"
    found = fetch(archive, dest, umask=umask)
    assert (found["failed"], found["sha256"]) == (False, hashlib.sha256(CONTENT).hexdigest())
    assert dest.read_bytes() == CONTENT
    assert list(dest.parent.iterdir()) == [dest]
    # A cache may be shared, but who can write an archive is root on every host.
    assert [stat.S_IMODE(path.stat().st_mode) for path in (dest, dest.parent)] == [0o644, 0o755]


def test_what_a_killed_run_left_is_no_obstacle(archive, tmp_path):
    dest = tmp_path / "cache/release.tar.zst"
    dest.parent.mkdir()
    half = dest.with_name(f"{dest.name}.localhost.1")
    half.write_bytes(b"half")
    other = dest.with_name(f"{dest.name}.localhost2.1")
    other.write_bytes(b"of another host")
    assert not fetch(archive, dest)["failed"]
    assert dest.read_bytes() == CONTENT
    assert (half.exists(), other.exists()) == (False, True)


def test_check_mode_transfers_nothing(archive, tmp_path):
    dest = tmp_path / "cache/release.tar.zst"
    assert not fetch(archive, dest, "--check")["failed"]
    assert not dest.parent.exists()


def test_an_archive_that_is_not_there_is_named(tmp_path):
    dest = tmp_path / "cache/release.tar.zst"
    found = fetch(tmp_path / "missing.tar.zst", dest)
    assert found["failed"] and "missing.tar.zst" in found["msg"]
    assert not dest.exists()
