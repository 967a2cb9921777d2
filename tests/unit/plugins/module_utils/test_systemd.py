"""What is read from systemd's answers, and what a digest is of."""

from __future__ import annotations

import dataclasses
import subprocess

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _systemd


def test_every_unit_gets_its_own_block():
    text = "Id=a.service\nActiveState=active\nMainPID=7\n\nId=b.service\nActiveState=inactive\nMainPID=0\n"
    shown = _systemd.show(lambda _command: (0, text, ""), ["a.service", "b.service"], "ActiveState,MainPID")
    assert {name: (block["ActiveState"], block["MainPID"]) for name, block in shown.items()} == {
        "a.service": ("active", "7"),
        "b.service": ("inactive", "0"),
    }


def test_a_value_may_hold_an_equals_sign():
    shown = _systemd.show(lambda _command: (0, "Id=a.service\nDescription=a=b\n", ""), ["a.service"], "Description")
    assert shown["a.service"]["Description"] == "a=b"


def test_no_unit_asks_nothing():
    def run(_command):
        raise AssertionError("systemctl without names would show the manager itself")

    assert _systemd.show(run, [], "ActiveState") == {}


def test_a_silent_systemd_is_an_error():
    with pytest.raises(OSError, match="no bus"):
        _systemd.show(lambda _command: (1, "", "no bus\n"), ["a.service"], "ActiveState")


@pytest.mark.parametrize(
    ("properties", "state"),
    [
        ({}, {"ended"}),
        ({"LoadState": "not-found"}, {"ended"}),
        ({"LoadState": "loaded", "ActiveState": "active", "MainPID": "7"}, {"found", "active", "pid"}),
        (
            {"LoadState": "loaded", "ActiveState": "reloading", "UnitFileState": "enabled-runtime"},
            {"found", "active", "enabled"},
        ),
        (
            {"LoadState": "loaded", "ActiveState": "failed", "NeedDaemonReload": "yes"},
            {"found", "failed", "ended", "outdated"},
        ),
        ({"LoadState": "loaded", "ActiveState": "deactivating", "UnitFileState": "disabled"}, {"found", "stopping"}),
        ({"LoadState": "masked", "ActiveState": "inactive"}, {"found", "ended"}),
    ],
)
def test_the_state_of_a_unit(properties, state):
    text = "".join(f"{name}={value}\n" for name, value in {"Id": "a.service", **properties}.items())
    found = _systemd.states(lambda _command: (0, text, ""), ["a.service"])["a.service"]
    assert {name for name, value in dataclasses.asdict(found).items() if value} == state


UNIT = """[Unit]
Description=one
[Service]
# Why.
ExecStart=/opt/airflow/current/bin/airflow scheduler
MemoryMax=1G
PrivateUsers=yes
[Install]
WantedBy=multi-user.target
"""


@pytest.mark.parametrize(
    ("old", "new", "restarts"),
    [
        ("Description=one", "Description=two", False),
        ("# Why.", "# Because.", False),
        ("MemoryMax=1G", "MemoryMax=2G", False),
        ("WantedBy=multi-user", "WantedBy=graphical", False),
        (
            "PrivateUsers=yes",
            "PrivateUsers=yes\nBindReadOnlyPaths=/etc/airflow/nothing:/etc/airflow/secrets/broker_url",
            False,
        ),
        ("PrivateUsers=yes", "PrivateUsers=no", True),
        ("airflow scheduler", "airflow scheduler --skip-serve-logs", True),
    ],
)
def test_what_systemd_applies_at_once_needs_no_restart(old, new, restarts):
    hides = ("BindReadOnlyPaths=/etc/airflow/nothing:",)
    before, after = (_systemd.process_settings(text, hides) for text in (UNIT, UNIT.replace(old, new)))
    assert (before != after) == restarts


def test_a_digest_is_of_contents_and_of_what_is_missing(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    first = _systemd.digest("known", [str(one), str(two)])
    assert _systemd.digest("known", [str(two), str(one), str(one)]) == first
    assert _systemd.digest("known", [str(one), str(two)], texts={str(two): "2"}) != first
    assert _systemd.digest("other", [str(one), str(two)]) != first
    two.write_text("2")
    second = _systemd.digest("known", [str(one), str(two)])
    assert _systemd.digest("known", [str(one), str(two)], texts={str(one): "3"}) not in (first, second)
    assert second != first


@pytest.mark.parametrize("reloads", [False, True])
def test_systemd_understands_the_drop_in(tmp_path, reloads):
    unit = tmp_path / "example@one.service"
    unit.write_text("[Service]\nExecStart=/bin/sleep 1\nExecReload=/bin/true\n")
    (tmp_path / f"{unit.name}.d").mkdir()
    (tmp_path / f"{unit.name}.d" / _systemd.DROP_IN).write_text(_systemd.drop_in(reloads=reloads))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert [line for line in done.stderr.splitlines() if "example" in line] == []
    assert ("ExecReload" in _systemd.drop_in(reloads=reloads)) == reloads
