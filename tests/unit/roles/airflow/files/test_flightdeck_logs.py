"""Which logs are removed, and which never are."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

PATH = Path(__file__).parents[5] / "roles/airflow/files/flightdeck_logs.py"
SPEC = importlib.util.spec_from_file_location("flightdeck_logs", PATH)
logs = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = logs
SPEC.loader.exec_module(logs)
MIB = 1 << 20


def write(folder, name, days, size=100):
    """A log that changed so many days ago, in directories as old."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    when = time.time() - days * logs.DAY
    for each in (path, *[parent for parent in path.parents if folder in parent.parents]):
        os.utime(each, (when, when))
    return path


def there(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def clean(folder, days=30, size="infinity"):
    return logs.clean(str(folder), days, size, time.time())


def test_what_is_too_old_goes(tmp_path):
    write(tmp_path, "dag_id=a/run_id=b/task_id=c/attempt=1.log", 31)
    write(tmp_path, "dag_id=a/run_id=d/task_id=c/attempt=1.log", 29)
    write(tmp_path, "dag_processor/2026-01-01/dags-folder/a.py.log", 40)
    result = clean(tmp_path)
    assert there(tmp_path) == ["dag_id=a/run_id=d/task_id=c/attempt=1.log"]
    assert (result.removed, result.problems) == (2, [])


def test_then_the_oldest_go_until_the_others_fit(tmp_path):
    for days in (1, 2, 3, 4):
        write(tmp_path, f"{days}.log", days, MIB)
    assert clean(tmp_path, size="2M").removed == 2
    assert there(tmp_path) == ["1.log", "2.log"]


def test_what_changed_lately_stays_whatever_it_takes(tmp_path):
    write(tmp_path, "old.log", 1, MIB)
    write(tmp_path, "new.log", 0.01, 3 * MIB)
    result = clean(tmp_path, size="1M")
    assert there(tmp_path) == ["new.log"]
    assert result.left >= 3 * MIB


def test_what_a_process_has_open_stays_whatever_its_age(tmp_path):
    path = write(tmp_path, "running.log", 400, MIB)
    write(tmp_path, "ended.log", 399, MIB)
    with path.open("ab"):
        clean(tmp_path, size="1")
        assert there(tmp_path) == ["running.log"]
    clean(tmp_path)
    assert there(tmp_path) == []


def test_nothing_goes_when_it_is_unknown_what_is_open(tmp_path, monkeypatch):
    def refuse(_process):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(logs, "files_of", refuse)
    monkeypatch.setattr(logs, "acting_as", lambda _owner: contextlib.nullcontext())
    monkeypatch.setattr(logs, "PROC", tmp_path / "proc")
    monkeypatch.setattr(logs.os, "geteuid", lambda: -1)
    (tmp_path / "proc/4711").mkdir(parents=True)
    write(tmp_path, "a.log", 31)
    result = clean(tmp_path)
    assert there(tmp_path) == ["a.log"]
    assert result.problems == ["nothing was removed, because it is unknown what is open: [Errno 13] Permission denied"]


@pytest.mark.parametrize("account", ["its own", "another"])
def test_a_process_that_hides_its_files_is_asked_as_its_account(account, tmp_path, monkeypatch):
    asked = []

    def files_of(process):
        asked.append(process.name)
        if len(asked) == 1:
            raise PermissionError(13, "Permission denied")
        return {(1, 4711)}

    monkeypatch.setattr(logs, "files_of", files_of)
    monkeypatch.setattr(logs, "acting_as", lambda _owner: contextlib.nullcontext())
    monkeypatch.setattr(logs, "PROC", tmp_path)
    monkeypatch.setattr(logs.os, "geteuid", lambda: -1)
    (tmp_path / "4711").mkdir()
    if account == "another":
        # It writes no logs.
        assert logs.open_files(os.getuid() + 1) == set()
    else:
        assert logs.open_files(os.getuid()) == {(1, 4711)}


def test_links_are_neither_followed_nor_removed(tmp_path):
    outside = write(tmp_path, "outside/old.log", 400)
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "latest").symlink_to(tmp_path / "outside")
    (folder / "file").symlink_to(outside)
    assert clean(folder).removed == 0
    assert outside.exists()
    assert len(list(folder.iterdir())) == 2


def test_a_link_that_takes_the_place_of_a_directory_leads_nowhere(tmp_path):
    write(tmp_path, "outside/old.log", 400)
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "a").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        logs.remove(str(folder), "a/old.log")
    assert there(tmp_path / "outside") == ["old.log"]


def test_directories_go_when_they_were_empty_for_long(tmp_path):
    folder = tmp_path / "dag_id=a/run_id=b"
    write(tmp_path, "dag_id=a/run_id=b/attempt=1.log", 31)
    clean(tmp_path)
    # Its log has just gone.
    assert folder.is_dir()
    old = time.time() - 3 * logs.DAY
    os.utime(folder, (old, old))
    clean(tmp_path)
    assert not folder.exists()


def test_what_cannot_be_removed_is_said_and_stops_nothing(tmp_path, monkeypatch):
    write(tmp_path, "a.log", 32)
    write(tmp_path, "b.log", 31)
    remove = logs.remove

    def refuse(directory, path):
        if path == "a.log":
            raise PermissionError(1, "Operation not permitted")
        remove(directory, path)

    monkeypatch.setattr(logs, "remove", refuse)
    result = clean(tmp_path)
    assert (result.removed, result.problems) == (1, [f"{tmp_path}/a.log: Operation not permitted"])


@pytest.mark.parametrize(
    ("text", "size"), [("infinity", float("inf")), ("100", 100), ("3K", 3072), ("2G", 2 * 1024**3), ("50%", 2048)]
)
def test_sizes(text, size, monkeypatch):
    monkeypatch.setattr(logs.os, "statvfs", lambda _folder: SimpleNamespace(f_blocks=1, f_frsize=4096))
    assert logs.room(text, "/") == size


@pytest.mark.parametrize("text", ["", "x", "5X", "-1", "1.5G"])
def test_what_is_no_size(text):
    with pytest.raises(ValueError, match="no size"):
        logs.room(text, "/")


def test_the_journal_is_cut_once_a_day(tmp_path, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(logs.subprocess, "run", lambda command, **_options: calls.append(command))
    folder = tmp_path / "logs"
    write(folder, "a.log", 31)
    arguments = ["--days", "30", "--max-size", "80%", "--journal", str(tmp_path), str(folder), str(tmp_path / "none")]
    monkeypatch.setattr("sys.argv", ["flightdeck-logs", *arguments])
    assert [logs.main(), logs.main()] == [0, 0]
    assert calls == [["journalctl", "--quiet", "--rotate", "--vacuum-time=30d"]]
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{folder}: removed 1 files, 0 MiB; ")
    assert second.startswith(f"{folder}: removed 0 files")
    os.utime(tmp_path / "journal", (0, 0))
    logs.main()
    assert len(calls) == 2
