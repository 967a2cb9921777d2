"""What is read from systemd's answers, from unit files and from processes."""

from __future__ import annotations

import os
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
    ("text", "digest"),
    [
        ("[Service]\nEnvironment=FLIGHTDECK_DIGEST=0123456789ab\nType=notify\n", "0123456789ab"),
        ("[Service]\n# Environment=FLIGHTDECK_DIGEST=0123456789ab\n", ""),
        ("[Service]\nEnvironment=OTHER=1\n", ""),
        ("", ""),
    ],
)
def test_the_digest_of_a_unit_file(text, digest):
    assert _systemd.digest_of_text(text) == digest


@pytest.mark.parametrize(("environment", "digest"), [({"FLIGHTDECK_DIGEST": "abc"}, "abc"), ({"X": "FLIGHTDECK_DIGEST=no"}, "")])
def test_the_digest_of_a_process(environment, digest):
    # The process says when it runs its own program: before, its environment is this test's.
    command = ["/bin/sh", "-c", "echo ready; read -r line"]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        assert _systemd.digest_of_process(process.pid) == digest
        process.stdin.close()


def test_a_process_that_is_gone_has_no_digest():
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    assert _systemd.digest_of_process(child) == ""
