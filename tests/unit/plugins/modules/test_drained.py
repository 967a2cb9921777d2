"""The file that says that a host is drained."""

from __future__ import annotations

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _drained


@pytest.fixture
def mark(host):
    host.monkeypatch.setattr(_drained, "PATH", str(host.etc / "drained"))
    return host.etc / "drained"


def state(host, **arguments):
    result = host.run("drained", **arguments)
    return result["changed"], result["ansible_facts"]["ansible_flightdeck_drained"]


def test_the_first_reason_stays(host, mark):
    assert state(host) == (False, {})
    assert state(host, state="present", reason="a disk", check=True)[0]
    assert not mark.exists()
    changed, record = state(host, state="present", reason="a disk")
    assert changed
    assert record["reason"] == "a disk"
    assert state(host, state="present", reason="another") == (False, record)
    assert state(host) == (False, record)


def test_it_is_removed_once(host, mark):
    state(host, state="present")
    assert state(host, state="absent", check=True) == (True, {})
    assert mark.exists()
    assert state(host, state="absent") == (True, {})
    assert state(host, state="absent") == (False, {})


@pytest.mark.parametrize("text", ["", "since yesterday", "[]", '{"since": 1}'])
def test_a_file_of_the_operators_counts(host, mark, text):
    mark.write_text(text)
    assert state(host) == (False, {"since": _drained.UNKNOWN, "reason": ""})


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"since": "now", "reason": ""}, "since now"),
        ({"since": "now", "reason": "a disk"}, "since now: a disk"),
    ],
)
def test_words(record, words):
    assert _drained.words(record) == words
