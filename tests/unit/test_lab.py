"""What the set-up says when this machine cannot carry a cluster."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

PATH = Path(__file__).parents[2] / "molecule/shared/lab.py"
SPEC = importlib.util.spec_from_file_location("lab", PATH)
lab = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(lab)

SOURCES = """Types: deb
URIs: http://mirror.example.org/debian
Suites: bookworm bookworm-updates
"""


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A client of an engine without containers whose data lies in /."""
    (tmp_path / "docker").write_text('#!/bin/sh\n[ "$1" != info ] || echo /\n')
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


@pytest.mark.usefixtures("docker")
def test_too_little_room(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=3e9))
    with pytest.raises(lab.LabError, match=r"/ has 3.0 GB free, 8 are needed: make room"):
        lab.check(8080)


@pytest.mark.usefixtures("docker")
def test_a_taken_port():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(lab.LabError, match=r"is taken .*choose another: make up PORT="):
            lab.check(other.getsockname()[1])


@pytest.mark.parametrize(
    ("routes", "found"),
    [
        ([], ""),
        ([("default", "eth0"), ("172.17.0.0/16", "docker0"), ("172.31.80.0/24", "br-5f1c038f1069")], ""),
        ([("default", "eth0"), ("172.31.80.0/20", "eth0")], "172.31.80.0/20 (eth0)"),
        # Of the engine, but not of this lab.
        ([("172.31.0.0/16", "br-5f1c038f1069")], "172.31.0.0/16 (br-5f1c038f1069)"),
        ([("172.31.80.7", "tun0")], "172.31.80.7 (tun0)"),
    ],
)
def test_a_network_that_the_machine_uses(routes, found):
    assert lab.overlap([{"dst": network, "dev": device} for network, device in routes], "172.31.80.0/24") == found


def test_a_machine_without_an_engine_passes_and_has_nothing_to_remove():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    bare = {"PATH": "/nowhere", "HOME": os.environ["HOME"]}
    for words in (["check", str(port)], ["remove", "lab"]):
        done = subprocess.run(
            [sys.executable, str(PATH), *words], env=bare, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("containers", "written"), [("c1 c2", "1\n"), ("", "")])
def test_a_removed_lab_leaves_no_freed_inodes_in_memory(tmp_path, monkeypatch, containers, written):
    (tmp_path / "docker").write_text(f'#!/bin/sh\n[ "$1" != ps ] || echo {containers}\n')
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    drop_caches = tmp_path / "drop_caches"
    drop_caches.touch()
    monkeypatch.setattr(lab, "DROP_CACHES", drop_caches)
    lab.remove("x")
    assert drop_caches.read_text() == written


def test_no_mirror(tmp_path):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("# deb http://mirror.example.org/debian bookworm main\n")
    with pytest.raises(lab.LabError, match="no Debian mirror in this machine's apt sources"):
        lab.mirrors(tmp_path)
    (tmp_path / "sources.list.d/debian.sources").write_text(SOURCES)
    assert lab.mirrors(tmp_path) == ("http://mirror.example.org/debian", "")


def test_a_machine_without_a_security_archive_names_none(tmp_path):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/debian.sources").write_text(SOURCES)
    assert lab.sources("bookworm", tmp_path) == [
        "deb http://mirror.example.org/debian bookworm main",
        "deb http://mirror.example.org/debian bookworm-updates main",
    ]


def test_no_rights(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    # Without a client there is no engine that answers.
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(lab.LabError, match="join the group docker, or run as root"):
        lab.engine()
    with pytest.raises(lab.LabError, match="chromium must be installed: run as root"):
        lab.apt_install("chromium")


def test_uv_gets_what_pip_is_configured_with(monkeypatch):
    """uv reads none of pip's files, and a machine that has a mirror has often told pip alone."""
    for name in ("UV_DEFAULT_INDEX", "SSL_CERT_FILE", "UV_HTTP_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "INDEX_URL": "https://mirror.example.org/simple",
        "CERT": "/etc/own.crt",
        "DEFAULT_TIMEOUT": "99",
    }.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    found = lab.index_environment()
    assert found["UV_DEFAULT_INDEX"] == "https://mirror.example.org/simple"
    assert found["SSL_CERT_FILE"] == "/etc/own.crt"
    assert found["UV_HTTP_TIMEOUT"] == "99"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://other.example.org/simple")
    assert lab.index_environment()["UV_DEFAULT_INDEX"] == "https://other.example.org/simple"


def test_what_roles_install_is_not_installed_before_them():
    """A role that forgets a package would find it there."""
    script = lab.provision_script("bookworm")
    installs = [
        line
        for line in script.splitlines()
        if "apt-get install" in line and "-only" not in line and "--simulate" not in line
    ]
    assert not [package for package in lab.PACKAGES for line in installs if package in line.split()]


def test_rules_of_bridges_that_are_gone_are_stale():
    table = """*nat
-A POSTROUTING -s 172.31.87.0/24 ! -o br-5f1c038f1069 -j MASQUERADE
-A POSTROUTING -s 172.31.87.0/24 ! -o br-6099d5d53495 -j MASQUERADE
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A POSTROUTING -s 10.0.0.0/8 ! -o eth7 -j MASQUERADE
COMMIT
"""
    stale = ["POSTROUTING", "-s", "172.31.87.0/24", "!", "-o", "br-6099d5d53495", "-j", "MASQUERADE"]
    assert lab.stale_rules(table, {"br-5f1c038f1069"}) == [("br-6099d5d53495", stale)]
