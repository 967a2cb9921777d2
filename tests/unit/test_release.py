"""A release, made in a clone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AUTHOR = {f"GIT_{role}_{key}": "release@example.org" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
FRAGMENT = "---\nbugfixes:\n  - a fault that is gone.\n"


class Clone:
    """A clone of the repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), folder], check=True)
        (folder / "changelogs/fragments/release.yml").write_text(FRAGMENT)
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "a change")

    def git(self, *arguments: str) -> str:
        """What git says."""
        command = ["git", "-C", str(self.folder), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **AUTHOR}).stdout

    def release(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Make a release."""
        command = [sys.executable, str(self.folder / ".config/release.py"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **AUTHOR}, check=False)


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    if not (ROOT / ".git").exists():
        pytest.skip("made from a commit, and this is no checkout")
    return Clone(tmp_path_factory.mktemp("release") / "clone")


def test_a_release_is_refused_before_anything_changes(clone):
    before = clone.git("rev-parse", "HEAD")
    for version, reason in [("1.0", "expected three numbers"), ("99.0.0", "found placeholders")]:
        done = clone.release(version)
        assert done.returncode == 1 and reason in done.stderr
    (clone.folder / "README.md").write_text("changed")
    done = clone.release("99.0.0", "--rehearsal")
    assert done.returncode == 1 and "found changes" in done.stderr
    clone.git("restore", "README.md")
    assert (clone.git("rev-parse", "HEAD"), clone.git("status", "--porcelain")) == (before, "")


def test_a_release_goes_on_where_it_stopped(clone):
    done = clone.release("99.0.0", "--rehearsal")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a fault that is gone" in (clone.folder / "CHANGELOG.rst").read_text()
    assert not list((clone.folder / "changelogs/fragments").glob("*.yml"))
    assert clone.git("log", "-1", "--format=%s %D").startswith("release: 99.0.0 HEAD")
    assert clone.git("rev-list", "-n1", "99.0.0") == clone.git("rev-parse", "HEAD")
    files = sorted(path.name for path in (clone.folder / "artefacts/99.0.0").iterdir())
    assert len(files) == 8 and "flightdeck-airflow-99.0.0.tar.gz" in files
    commit = clone.git("rev-parse", "HEAD")
    clone.git("tag", "--delete", "99.0.0")
    done = clone.release("99.0.0", "--rehearsal")
    assert done.returncode == 0, done.stdout + done.stderr
    assert clone.git("rev-list", "-n1", "99.0.0") == commit == clone.git("rev-parse", "HEAD")
    done = clone.release("98.0.0", "--rehearsal")
    assert done.returncode == 1 and "after 99.0.0" in done.stderr
