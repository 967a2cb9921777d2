from __future__ import annotations

from ansible_collections.flightdeck.airflow.plugins.module_utils import _support


def test_files_without_those_that_hold_secrets_only(tmp_path):
    for name in ("airflow.cfg", "server.key", "environment.secret", "zz.digest", "users.acl"):
        (tmp_path / name).write_text("x")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/fernet_key").write_text("x")
    assert _support.files([f"{tmp_path}/*"]) == [f"{tmp_path}/airflow.cfg"]
    assert _support.files([f"{tmp_path}/*"], [f"{tmp_path}/airflow.cfg", "*.*"]) == []


def test_the_newest_lines_that_fit():
    lines = [b"third\n", b"second\n", b"first\n"]
    assert _support.newest(iter(lines), 13) == b"second\nthird\n"
    assert _support.newest(iter(lines), 3) == b""


def test_what_has_no_room_is_noted():
    found = _support.Collected(5)
    found.add("a", b"1234")
    found.add("b", b"56")
    assert found.texts == {"a": "1234"}
    assert "b: left out, 2 bytes" in found.notes[0]


def test_a_command_that_does_not_exist_says_so():
    assert b"no-such-command" in _support.said(["no-such-command"])


def test_a_bundle_of_this_machine_stays_within_its_bound():
    found = _support.collect(2 * 1024**2, 1, mark="/no/mark")
    assert sum(len(text) for text in found.texts.values()) <= 2 * 1024**2
    assert "commands/kernel.txt" in found.texts
    assert "/no/mark" in found.notes[-1]
