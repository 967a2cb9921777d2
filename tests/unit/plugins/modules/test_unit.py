"""What the module does with the units of a component, on a directory of unit files and a systemd that only notes what it is told."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from ansible_collections.flightdeck.airflow.plugins.module_utils import _files, _systemd
from ansible_collections.flightdeck.airflow.plugins.modules import unit

WORKERS = ["airflow-worker@*.service"]
DEFAULT, GPU = "airflow-worker@default.service", "airflow-worker@gpu.service"


class RefusedError(Exception):
    """What fail_json says."""


class Host:
    """Unit files, and what systemd thinks of them."""

    def __init__(self, folder):
        self.folder = folder
        self.told = []
        self.states = {}

    def add(self, name, state="active", boot="enabled", digest="old", process=0):
        (self.folder / name).write_text(f"[Service]\nEnvironment=FLIGHTDECK_DIGEST={digest}\n")
        self.states[name] = {"ActiveState": state, "UnitFileState": boot, "MainPID": str(process)}

    def systemctl(self, command):
        if command[1] != "show":
            self.told.append(" ".join(command[1:]))
            return 0, "", ""
        missing = {"ActiveState": "inactive", "UnitFileState": "", "MainPID": "0"}
        shown = [{"Id": name, **self.states.get(name, missing)} for name in command[3:]]
        return 0, "\n\n".join("\n".join("=".join(pair) for pair in block.items()) for block in shown), ""

    def run(self, *, check=False, **parameters):
        """The module's object after its run, and whether it was stale."""

        def refuse(msg):
            raise RefusedError(msg)

        params = {"name": None, "content": None, "siblings": WORKERS, "keep": [], "state": "started", **parameters}
        done = unit.Unit(SimpleNamespace(check_mode=check, params=params, run_command=self.systemctl, fail_json=refuse))
        return done, done.run()

    def files(self):
        return {path.name: path.read_text() for path in self.folder.iterdir()}


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setattr(_systemd, "UNIT_DIR", str(tmp_path))
    write = _files.write_text
    monkeypatch.setattr(_files, "write_text", lambda path, content, _uid, _gid, mode: write(path, content, os.getuid(), os.getgid(), mode))
    return Host(tmp_path)


def deploy(host, name, digest="new", **parameters):
    return host.run(name=name, content=f"[Service]\nEnvironment=FLIGHTDECK_DIGEST={digest}\n", keep=[name], **parameters)


def test_a_new_unit_is_written_enabled_and_started(host):
    done, stale = deploy(host, DEFAULT)
    assert "FLIGHTDECK_DIGEST=new" in host.files()[DEFAULT]
    assert host.told == ["daemon-reload", f"enable --quiet {DEFAULT}", f"start {DEFAULT}"]
    assert (len(done.change.paths), stale) == (3, False)


def test_a_running_unit_is_written_and_left_to_its_restart(host):
    host.add(DEFAULT, process=os.getpid())
    done, stale = deploy(host, DEFAULT)
    assert host.told == ["daemon-reload"]
    assert stale
    host.told.clear()
    done, stale = deploy(host, DEFAULT)
    # Nothing is left to do but the restart, which the run before may not have come to.
    assert (host.told, done.change.paths, stale) == ([], [], True)


def test_a_deployed_unit_takes_the_place_of_its_siblings(host):
    host.add(DEFAULT)
    host.add(GPU)
    host.add("airflow-scheduler.service")
    deploy(host, DEFAULT, digest="old")
    assert host.told == [f"disable --now {GPU}", "daemon-reload"]
    assert set(host.files()) == {DEFAULT, "airflow-scheduler.service"}


def test_what_is_stopped_and_started_again_keeps_its_file(host):
    host.add(DEFAULT)
    host.add(GPU)
    before = host.files()
    done, stale = host.run(state="stopped")
    # Not at boot, and that before the drain.
    assert host.told == [f"disable --quiet {DEFAULT} {GPU}", f"stop {DEFAULT} {GPU}"]
    assert (len(done.change.paths), stale) == (4, False)
    for name in (DEFAULT, GPU):
        host.states[name].update(ActiveState="inactive", UnitFileState="disabled")
    host.told.clear()
    done, _stale = host.run(state="stopped")
    assert (host.told, done.change.paths) == ([], [])
    done, stale = host.run(state="started")
    assert host.told == [f"enable --quiet {DEFAULT} {GPU}", f"start {DEFAULT} {GPU}"]
    assert (len(done.change.paths), stale) == (4, False)
    assert host.files() == before


def test_starting_what_runs_changes_nothing(host):
    host.add(DEFAULT, digest="", process=os.getpid())
    done, stale = host.run()
    assert (host.told, done.change.paths, stale) == ([], [], False)


def test_a_restart_that_is_owed_is_told_at_a_start(host):
    host.add(DEFAULT, digest="new", process=os.getpid())
    done, stale = host.run()
    assert (host.told, done.change.paths, stale) == ([], [], True)


def test_a_worker_that_still_drains_is_waited_for(host):
    host.add(DEFAULT, state="deactivating", boot="disabled")
    host.run(state="stopped")
    assert host.told == [f"stop {DEFAULT}"]


@pytest.mark.parametrize("check", [False, True])
def test_nothing_can_be_started_where_nothing_was_deployed(host, check):
    with pytest.raises(RefusedError, match=r"found no such unit; expected a host that was deployed"):
        host.run(check=check)
    assert (host.told, host.files()) == ([], {})


def test_nothing_is_stopped_where_nothing_was_deployed(host):
    done, _stale = host.run(state="stopped")
    assert (host.told, done.change.paths) == ([], [])


def test_what_is_to_go_stops_together(host):
    host.add(DEFAULT)
    host.add(GPU)
    host.add("airflow-scheduler.service")
    done, stale = host.run(state="absent", siblings=[GPU, DEFAULT])
    assert host.told == [f"disable --now {DEFAULT} {GPU}", "daemon-reload"]
    assert set(host.files()) == {"airflow-scheduler.service"}
    assert (len(done.change.paths), stale) == (2, False)
    host.told.clear()
    done, _stale = host.run(state="absent", siblings=[GPU, DEFAULT])
    assert (host.told, done.change.paths) == ([], [])


@pytest.mark.parametrize("state", ["stopped", "absent"])
def test_check_mode_tells_and_changes_nothing(host, state):
    host.add(DEFAULT)
    before = host.files()
    done, _stale = host.run(check=True, state=state)
    assert done.change.diff
    assert (host.told, host.files()) == ([], before)


def test_check_mode_writes_no_unit(host):
    done, _stale = deploy(host, DEFAULT, check=True)
    assert len(done.change.diff) == 3
    assert (host.told, host.files()) == ([], {})
