from __future__ import annotations

import grp
import os
from pathlib import Path

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _dags
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import dag_archive


@pytest.fixture
def store(tmp_path: Path) -> _dags.Store:
    return _dags.Store(str(tmp_path / "dags"), grp.getgrgid(os.getegid()).gr_name)


def ship(store: _dags.Store, source: Path, *, keep: int = 3, check: bool = False) -> dict[str, object]:
    """What the action plugin does: ask, and send the archive where it is missing."""
    tree = dag_archive.scan(str(source))
    found = store.apply(tree.digest(), archive=None, keep=keep, check=check, want_manifest=True)
    if not found["missing"] or check:
        return found
    archive = source.parent / "archive"
    dag_archive.pack(tree, str(archive))
    return store.apply(tree.digest(), archive=str(archive), keep=keep, check=False, want_manifest=False)


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


def current(store: _dags.Store) -> Path:
    return Path(store.link)


def test_the_first_revision_and_a_second_run(store: _dags.Store, source: Path) -> None:
    first = ship(store, source)
    assert first["changed"]
    assert first["previous"] == ""
    assert os.readlink(store.link) == f"revisions/{first['revision']}"
    assert (current(store) / "team" / "b.py").read_text() == "b = 1\n"
    again = ship(store, source)
    assert not again["changed"]
    assert not again["missing"]


def test_host_and_controller_agree_on_the_manifest(store: _dags.Store, source: Path) -> None:
    ship(store, source)
    assert _dags.manifest(os.path.realpath(store.link)) == dag_archive.scan(str(source)).manifest()


def test_nobody_but_the_owner_may_write(store: _dags.Store, source: Path) -> None:
    ship(store, source)
    root = Path(os.path.realpath(store.link))
    modes = {str(path.relative_to(root)): path.stat().st_mode & 0o777 for path in [root, *root.rglob("*")] if not path.is_symlink()}
    assert modes == {".": 0o750, "team": 0o750, "a.py": 0o640, "team/b.py": 0o640, "run.sh": 0o750}


def test_deleted_files_disappear_and_unchanged_ones_keep_their_time(store: _dags.Store, source: Path) -> None:
    ship(store, source)
    os.utime(current(store) / "a.py", (1000, 1000))
    os.utime(current(store) / "team" / "b.py", (1000, 1000))
    (source / "run.sh").unlink()
    (source / "a.py").write_text("a = 2\n")
    ship(store, source)
    assert not (current(store) / "run.sh").exists()
    assert (current(store) / "team" / "b.py").stat().st_mtime == 1000
    assert (current(store) / "a.py").stat().st_mtime > 1000


def test_going_back_needs_no_archive(store: _dags.Store, source: Path) -> None:
    first = ship(store, source)
    (source / "a.py").write_text("a = 2\n")
    ship(store, source)
    found = store.apply(str(first["revision"]), archive=None, keep=3, check=False, want_manifest=True)
    assert found["changed"]
    assert not found["missing"]
    assert os.readlink(store.link) == f"revisions/{first['revision']}"
    assert "a.py" in found["manifest"]


def test_only_so_many_revisions_stay(store: _dags.Store, source: Path) -> None:
    names = []
    for number in range(5):
        (source / "a.py").write_text(f"a = {number}\n")
        names.append(str(ship(store, source)["revision"]))
        os.utime(Path(store.revisions) / names[-1], (number, number))
    assert sorted(os.listdir(store.revisions)) == sorted(names[-3:])
    fewer = store.apply(names[-1], archive=None, keep=1, check=False, want_manifest=False)
    assert fewer["changed"]
    assert os.listdir(store.revisions) == [names[-1]]


def test_what_an_interrupted_run_left_is_removed(store: _dags.Store, source: Path) -> None:
    first = ship(store, source)
    (Path(store.revisions) / ".new-0123").mkdir()
    found = ship(store, source)
    assert found["pruned"] == [".new-0123"]
    assert os.listdir(store.revisions) == [first["revision"]]
    assert not ship(store, source)["changed"]


def test_an_interrupted_unpacking_is_done_again(store: _dags.Store, source: Path) -> None:
    digest = dag_archive.scan(str(source)).digest()
    remains = Path(store.revisions) / f".new-{digest}"
    remains.mkdir(parents=True)
    (remains / "half.py").write_text("x")
    ship(store, source)
    assert not (current(store) / "half.py").exists()


def test_check_mode_changes_nothing(store: _dags.Store, source: Path) -> None:
    found = ship(store, source, check=True)
    assert found["changed"]
    assert not os.path.exists(store.path)
    ship(store, source)
    (source / "a.py").write_text("a = 2\n")
    before = os.readlink(store.link)
    assert ship(store, source, check=True)["changed"]
    assert os.readlink(store.link) == before


def test_a_directory_in_the_place_of_the_link_is_left_alone(store: _dags.Store, source: Path) -> None:
    os.makedirs(store.link)
    with pytest.raises(_dags.StoreError, match="is not a symbolic link; move it away"):
        ship(store, source)


def test_a_link_that_leads_elsewhere_is_replaced(store: _dags.Store, source: Path) -> None:
    os.makedirs(store.path)
    os.symlink("/nonexistent", store.link)
    ship(store, source)
    assert (current(store) / "a.py").exists()


def test_a_missing_account_is_named(tmp_path: Path, source: Path) -> None:
    with pytest.raises(_dags.StoreError, match=r"nobody-here.*the role flightdeck.airflow.airflow makes the account"):
        ship(_dags.Store(str(tmp_path / "x"), "nobody-here"), source)
