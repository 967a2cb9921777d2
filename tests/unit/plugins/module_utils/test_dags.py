from __future__ import annotations

import grp
import os
from pathlib import Path

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _dags
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import dag_archive


@pytest.fixture
def revisions(tmp_path: Path) -> _dags.Revisions:
    return _dags.Revisions(str(tmp_path / "dags"), grp.getgrgid(os.getegid()).gr_name)


def ship(revisions: _dags.Revisions, source: Path, *, keep: int = 3, check: bool = False) -> dict[str, object]:
    """What the action plugin does: ask, and send the archive where it is missing."""
    tree = dag_archive.scan(str(source))
    found = revisions.apply(tree.digest(), archive=None, keep=keep, check=check, want_manifest=True)
    if not found["missing"] or check:
        return found
    archive = source.parent / "archive"
    dag_archive.pack(tree, str(archive))
    return revisions.apply(tree.digest(), archive=str(archive), keep=keep, check=False, want_manifest=False)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    (root / "team").mkdir(parents=True)
    (root / "a.py").write_text("a = 1\n")
    (root / "team" / "b.py").write_text("b = 1\n")
    (root / "link").symlink_to("team")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    return root


def current(revisions: _dags.Revisions) -> Path:
    return Path(revisions.link)


def test_the_first_revision_and_a_second_run(revisions: _dags.Revisions, source: Path) -> None:
    first = ship(revisions, source)
    assert first["changed"]
    assert first["previous"] == ""
    assert os.readlink(revisions.link) == f"revisions/{first['revision']}"
    assert (current(revisions) / "team" / "b.py").read_text() == "b = 1\n"
    again = ship(revisions, source)
    assert not again["changed"]
    assert not again["missing"]


def test_host_and_controller_agree_on_the_manifest(revisions: _dags.Revisions, source: Path) -> None:
    ship(revisions, source)
    assert _dags.manifest(os.path.realpath(revisions.link)) == dag_archive.scan(str(source)).manifest()


def test_only_the_owner_may_write(revisions: _dags.Revisions, source: Path) -> None:
    ship(revisions, source)
    root = Path(os.path.realpath(revisions.link))
    modes = {
        str(path.relative_to(root)): path.stat().st_mode & 0o777
        for path in [root, *root.rglob("*")]
        if not path.is_symlink()
    }
    assert modes == {".": 0o750, "team": 0o750, "a.py": 0o640, "team/b.py": 0o640, "run.sh": 0o750}


def test_deleted_files_disappear_and_unchanged_ones_keep_their_time(revisions: _dags.Revisions, source: Path) -> None:
    ship(revisions, source)
    os.utime(current(revisions) / "a.py", (1000, 1000))
    os.utime(current(revisions) / "team" / "b.py", (1000, 1000))
    (source / "run.sh").unlink()
    (source / "a.py").write_text("a = 2\n")
    ship(revisions, source)
    assert not (current(revisions) / "run.sh").exists()
    assert (current(revisions) / "team" / "b.py").stat().st_mtime == 1000
    assert (current(revisions) / "a.py").stat().st_mtime > 1000


def test_going_back_needs_no_archive(revisions: _dags.Revisions, source: Path) -> None:
    first = ship(revisions, source)
    (source / "a.py").write_text("a = 2\n")
    ship(revisions, source)
    found = revisions.apply(str(first["revision"]), archive=None, keep=3, check=False, want_manifest=True)
    assert found["changed"]
    assert not found["missing"]
    assert os.readlink(revisions.link) == f"revisions/{first['revision']}"
    assert "a.py" in found["manifest"]


def test_a_staged_revision_is_beside_the_current_one(revisions: _dags.Revisions, source: Path) -> None:
    first = ship(revisions, source)
    (source / "a.py").write_text("a = 2\n")
    archive = source.parent / "archive"
    tree = dag_archive.scan(str(source))
    dag_archive.pack(tree, str(archive))
    how = {"archive": str(archive), "keep": 1, "check": False, "want_manifest": False, "stage": True}
    staged = revisions.apply(tree.digest(), **how)
    assert staged["changed"]
    assert not revisions.apply(tree.digest(), **how)["changed"]
    assert revisions.current() == first["revision"]
    assert revisions.names() == sorted([str(first["revision"]), tree.digest()])
    revisions.remove(tree.digest())
    assert revisions.names() == [first["revision"]]


def test_the_revision_before_stays_and_what_it_has_is_read_again(revisions: _dags.Revisions, source: Path) -> None:
    first = str(ship(revisions, source, keep=2)["revision"])
    (source / "a.py").write_text("a = 2\n")
    second = str(ship(revisions, source, keep=2)["revision"])
    assert (revisions.current(), revisions.previous()) == (second, first)
    for file in ("a.py", "team/b.py"):
        os.utime(Path(revisions.directory) / first / file, (1000, 1000))
    revisions.switch(first)
    assert (revisions.current(), revisions.previous()) == (first, second)
    assert (current(revisions) / "a.py").stat().st_mtime > 1000
    assert (current(revisions) / "team" / "b.py").stat().st_mtime == 1000


def test_where_a_revision_comes_from_is_written_once(revisions: _dags.Revisions, source: Path) -> None:
    digest = str(ship(revisions, source)["revision"])
    origin = {"commit": "c1"}
    assert revisions.record(digest, origin, check=True)
    assert revisions.origin(digest) == {}
    assert revisions.record(digest, origin, check=False)
    assert not revisions.record(digest, origin, check=False)
    assert revisions.origin(digest) == origin
    assert revisions.record(digest, {}, check=False)


def test_a_reading_is_the_newest_log_of_the_file_in_its_bundle(tmp_path: Path) -> None:
    for day, bundle, when in (("2026-01-01", "b", 10), ("2026-01-02", "b", 20), ("2026-01-02", "other", 30)):
        log = tmp_path / day / bundle / "team" / "[a].py.log"
        log.parent.mkdir(parents=True)
        log.write_text("x")
        os.utime(log, (when, when))
    assert _dags.last_read(str(tmp_path), "b", "team/[a].py") == 20
    assert _dags.last_read(str(tmp_path), "b", "b.py") == 0


def test_only_so_many_revisions_stay(revisions: _dags.Revisions, source: Path) -> None:
    names = []
    for number in range(5):
        (source / "a.py").write_text(f"a = {number}\n")
        names.append(str(ship(revisions, source)["revision"]))
        os.utime(Path(revisions.directory) / names[-1], (number, number))
    assert sorted(os.listdir(revisions.directory)) == sorted(names[-3:])
    fewer = revisions.apply(names[-1], archive=None, keep=1, check=False, want_manifest=False)
    assert fewer["changed"]
    assert os.listdir(revisions.directory) == [names[-1]]


def test_what_an_interrupted_run_left_is_removed(revisions: _dags.Revisions, source: Path) -> None:
    first = ship(revisions, source)
    (Path(revisions.directory) / ".new-0123").mkdir()
    found = ship(revisions, source)
    assert found["pruned"] == [".new-0123"]
    assert os.listdir(revisions.directory) == [first["revision"]]
    assert not ship(revisions, source)["changed"]


def test_an_interrupted_unpacking_is_done_again(revisions: _dags.Revisions, source: Path) -> None:
    digest = dag_archive.scan(str(source)).digest()
    remains = Path(revisions.directory) / f".new-{digest}"
    remains.mkdir(parents=True)
    (remains / "half.py").write_text("x")
    ship(revisions, source)
    assert not (current(revisions) / "half.py").exists()


def test_check_mode_changes_nothing(revisions: _dags.Revisions, source: Path) -> None:
    found = ship(revisions, source, check=True)
    assert found["changed"]
    assert not os.path.exists(revisions.path)
    ship(revisions, source)
    (source / "a.py").write_text("a = 2\n")
    before = os.readlink(revisions.link)
    assert ship(revisions, source, check=True)["changed"]
    assert os.readlink(revisions.link) == before


def test_a_directory_in_the_place_of_the_link_is_left_alone(revisions: _dags.Revisions, source: Path) -> None:
    os.makedirs(revisions.link)
    with pytest.raises(_dags.RevisionsError, match="is not a symbolic link; move it away"):
        ship(revisions, source)


def test_a_link_that_leads_elsewhere_is_replaced(revisions: _dags.Revisions, source: Path) -> None:
    os.makedirs(revisions.path)
    os.symlink("/nonexistent", revisions.link)
    ship(revisions, source)
    assert (current(revisions) / "a.py").exists()


def test_a_missing_account_is_named(tmp_path: Path, source: Path) -> None:
    with pytest.raises(
        _dags.RevisionsError, match=r"nobody-here.*the role flightdeck.airflow.airflow makes the account"
    ):
        ship(_dags.Revisions(str(tmp_path / "x"), "nobody-here"), source)
