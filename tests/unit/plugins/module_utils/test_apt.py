"""What is read from answers of apt and dpkg, and which processes run replaced files."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _apt

# As apt-get of Debian 12 prints it.
SIMULATED = """\
NOTE: This is only a simulation!
Reading package lists...
Calculating upgrade...
The following packages have been kept back:
  libc-bin linux-image-amd64
  tzdata
The following NEW packages will be installed:
  linux-image-6.1.0-41-amd64
The following packages will be upgraded:
  haproxy rabbitmq-server
2 upgraded, 1 newly installed, 1 to remove and 3 not upgraded.
Remv old-thing [1.0]
Inst haproxy [2.6.12-1+deb12u2] (2.6.12-1+deb12u3 Debian-Security:12/stable-security [amd64])
Inst linux-image-6.1.0-41-amd64 (6.1.158-1 Debian-Security:12/oldstable-security [amd64])
Inst rabbitmq-server [3.10.8-1.1] (3.10.8-1.1+deb12u1 Debian:12.11/stable [all]) []
Conf haproxy (2.6.12-1+deb12u3 Debian-Security:12/stable-security [amd64])
"""


def test_a_simulation():
    assert _apt.parse_simulation(SIMULATED) == {
        "upgrades": [
            {"name": "haproxy", "before": "2.6.12-1+deb12u2", "after": "2.6.12-1+deb12u3"},
            {"name": "rabbitmq-server", "before": "3.10.8-1.1", "after": "3.10.8-1.1+deb12u1"},
        ],
        "installs": ["linux-image-6.1.0-41-amd64"],
        "removes": ["old-thing"],
        "kept": ["libc-bin", "linux-image-amd64", "tzdata"],
    }


def asked(answer, code=0):
    calls = []

    def run(command):
        calls.append(command)
        return code, answer, "E: dpkg was interrupted" if code else ""

    return run, calls


def test_apt_is_asked_for_the_packages_that_there_are_or_for_all():
    run, calls = asked(SIMULATED)
    assert _apt.simulate(run, ["haproxy"], interrupted=False)["removes"] == ["old-thing"]
    assert calls[0][-3:] == ["install", "--only-upgrade", "haproxy"]
    _apt.simulate(run, None, interrupted=False)
    assert calls[1][-2:] == ["upgrade", "--with-new-pkgs"]
    assert _apt.simulate(run, [], interrupted=False)["upgrades"] == []
    assert len(calls) == 2
    assert all("--simulate" in call for call in calls)


def test_an_answer_that_fails_is_an_error_but_after_an_interruption():
    run, _calls = asked("", 100)
    with pytest.raises(OSError, match="dpkg was interrupted"):
        _apt.simulate(run, ["haproxy"], interrupted=False)
    assert _apt.simulate(run, ["haproxy"], interrupted=True)["upgrades"] == []


def test_versions_of_what_is_installed():
    status = (
        "Package: haproxy\nStatus: install ok installed\nVersion: 2.6.12-1\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
        "Package: held\nStatus: hold ok installed\nDescription: x\n Version: no field\nVersion: 1:2\n"
    )
    assert _apt.installed_versions(status) == {"haproxy": "2.6.12-1", "held": "1:2"}


def test_replaced_files_are_those_that_are_executable_and_gone():
    maps = (
        "55d0-55d1 r-xp 00000000 00:2f 123 /usr/sbin/haproxy (deleted)\n"
        "55d1-55d2 r--p 00000000 00:2f 123 /usr/sbin/haproxy (deleted)\n"
        "7f00-7f01 r-xp 00000000 00:2f 124 /usr/lib/x86_64-linux-gnu/libssl.so.3\n"
        "7f01-7f02 rwxp 00000000 00:01 125 /memfd:jit (deleted)\n"
        "7f02-7f03 rw-s 00000000 00:01 126 /dev/zero (deleted)\n"
        "7f03-7f04 r-xp 00000000 00:2f 127 /tmp/x (deleted)\n"
    )
    assert _apt.replaced(maps) == ["haproxy"]


def process(proc, pid, unit, path, parent=1):
    """A process whose file at ``path`` was replaced."""
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "cgroup").write_text(f"0::/system.slice/{unit}\n")
    (folder / "maps").write_text(f"55d0-55d1 r-xp 00000000 00:2f 123 {path} (deleted)\n")
    (folder / "status").write_text(f"Name:\tx\nPid:\t{pid}\nPPid:\t{parent}\n")


def test_units_with_processes_that_run_replaced_files(tmp_path):
    process(tmp_path, 10, "haproxy.service", "/usr/sbin/haproxy")
    process(tmp_path, 11, "ssh.service", "/usr/sbin/sshd")
    assert _apt.outdated(["haproxy.service", "etcd.service"], str(tmp_path)) == {"haproxy.service": ["haproxy"]}


def test_a_process_that_a_reload_left_does_not_count(tmp_path):
    """One of HAProxy, which finishes its connections; a child of another unit does."""
    process(tmp_path, 10, "haproxy.service", "/usr/sbin/haproxy", parent=9)
    process(tmp_path, 11, "patroni.service", "/usr/lib/postgresql/15/bin/postgres", parent=9)
    assert _apt.outdated(["haproxy.service", "patroni.service"], str(tmp_path)) == {"patroni.service": ["postgres"]}


def test_the_kernel_marks_a_file_that_was_replaced(tmp_path):
    """Of this very process: the pattern of the paths apart."""
    path = tmp_path / "library"
    path.write_bytes(b"x" * mmap.PAGESIZE)
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ | mmap.PROT_EXEC):
        os.replace(tmp_path / "library", tmp_path / "gone")
        (tmp_path / "gone").unlink()
        found = [line for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith("gone (deleted)")]
    assert found
    assert _apt.replaced(found[0].replace(str(tmp_path), "/usr/lib")) == ["gone"]


def test_a_reboot_for_a_newer_kernel_or_for_debians_mark(tmp_path):
    mark = str(tmp_path / "reboot-required")
    kernels = ["6.1.0-9-amd64", "6.1.0-10-amd64"]
    assert _apt.reboot_reason("6.1.0-9-amd64", kernels, False, mark) == (
        "the kernel 6.1.0-9-amd64 runs, 6.1.0-10-amd64 is installed"
    )
    assert _apt.reboot_reason("6.1.0-10-amd64", kernels, False, mark) == ""
    assert _apt.reboot_reason("6.12.0-1-amd64", kernels, False, mark) == ""
    # Its kernel is another machine's.
    assert _apt.reboot_reason("6.1.0-9-amd64", kernels, True, mark) == ""
    assert _apt.reboot_reason("6.1.0-9-amd64", [], False, mark) == ""
    Path(mark).touch()
    assert _apt.reboot_reason("6.1.0-10-amd64", kernels, False, mark) == f"{mark} is there"


def test_starts_of_running_units():
    answers = {"list-units": "etcd.service loaded active running x\n", "show": "Id=etcd.service\nInvocationID=ab12\n"}

    def run(command):
        return 0, answers[command[1]], ""

    assert _apt.starts(run, ["etcd.service", "patroni.service"]) == {"etcd.service": "ab12"}
    assert _apt.starts(run, []) == {}
