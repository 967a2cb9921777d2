"""The cookie of a running node, whose tools are heard only when the file says the same."""

from __future__ import annotations

import os
import pwd
from types import SimpleNamespace

import pytest
from ansible_collections.flightdeck.airflow.plugins.modules import rabbitmq_cookie

# A node with a cookie of its own.
TOOL = r"""
import os, pathlib, sys
home = pathlib.Path(os.environ["FAKE_HOST"])
if (home / "cookie").read_text() != (home / "node").read_text():
    sys.exit("Error: unable to perform an operation")
if "eval" in sys.argv:
    if os.environ.get("FAKE_REFUSAL"):
        sys.exit("Error: refused")
    (home / "node").write_text((home / "cookie.next").read_text())
    print("true")
"""


@pytest.fixture
def node(host, monkeypatch):
    monkeypatch.setattr(rabbitmq_cookie, "COOKIE", str(host.folder / "cookie"))
    monkeypatch.setattr(pwd, "getpwnam", lambda _name: SimpleNamespace(pw_uid=os.getuid(), pw_gid=os.getgid()))
    host.program("rabbitmqctl", TOOL)
    host.add(rabbitmq_cookie.UNIT)
    (host.folder / "cookie").write_text("old")
    (host.folder / "node").write_text("old")
    return host


def cookies(host):
    return [(host.folder / name).read_text() for name in ("cookie", "node")]


@pytest.mark.parametrize(
    "cookie", ["old", "new"], ids=["of the file", "new already, because a run was killed before it wrote the file"]
)
def test_a_running_node_and_its_file_get_the_new_cookie(node, cookie):
    (node.folder / "node").write_text(cookie)
    assert node.run("rabbitmq_cookie", check=True, cookie="new")["changed"]
    assert cookies(node) == ["old", cookie]
    assert node.run("rabbitmq_cookie", cookie="new")["changed"]
    assert cookies(node) == ["new", "new"]
    assert (node.folder / "cookie").stat().st_mode & 0o777 == 0o400
    assert not node.run("rabbitmq_cookie", cookie="new")["changed"]


@pytest.mark.parametrize("cookie", ["old", "unknown"])
def test_a_node_that_does_not_take_it_keeps_what_it_has(node, cookie):
    (node.folder / "node").write_text(cookie)
    node.monkeypatch.setenv("FAKE_REFUSAL", "1")
    assert "did not take the cookie" in node.run("rabbitmq_cookie", cookie="new")["msg"]
    assert cookies(node) == ["old", cookie]


def test_one_that_is_stopped_gets_the_file(node):
    node.change(rabbitmq_cookie.UNIT, ActiveState="inactive")
    node.run("rabbitmq_cookie", cookie="new")
    assert cookies(node) == ["new", "old"]
