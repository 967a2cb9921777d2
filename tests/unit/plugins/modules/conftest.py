"""A host whose systemd is a program of these tests: modules run on it as they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.flightdeck.airflow.plugins.module_utils import _files, _systemd

# What matters of systemd: it acts on the definitions that it has read, not on those on disk, and runs their commands.
SYSTEMCTL = r"""
import json, os, pathlib, re, shlex, subprocess, sys
home = pathlib.Path(os.environ["FAKE_HOST"])
units = json.loads((home / "units.json").read_text())
verb, *rest = sys.argv[1:]
names = [name for name in rest if not name.startswith("-")]


def on_disk(name):
    drop_ins = sorted((home / "system" / f"{name}.d").glob("*.conf"))
    return "".join(path.read_text() for path in (home / "system" / name, *drop_ins) if path.exists())


def run(kind, name):
    for command in re.findall(rf"^{kind}=-\+(.*)$", units[name]["loaded"], re.MULTILINE):
        subprocess.run(shlex.split(command.replace("%n", name)), check=False)


if verb == "show":
    for name in names:
        missing = {"ActiveState": "inactive", "UnitFileState": "", "LoadState": "not-found"}
        unit = units.get(name, {**missing, "loaded": on_disk(name)})
        shown = {key: value for key, value in unit.items() if key != "loaded"}
        print(f"Id={name}", *(f"{key}={value}" for key, value in shown.items()), sep="\n")
        stale = unit["loaded"] != on_disk(name) and "FAKE_UNNOTICED" not in os.environ
        print(f"NeedDaemonReload={'yes' if stale else 'no'}\n")
    sys.exit()
with (home / "commands").open("a") as stream:
    stream.write(" ".join([verb, *rest]) + "\n")
if verb == "daemon-reload":
    for path in (home / "system").glob("*.service"):
        found = {"ActiveState": "inactive", "UnitFileState": "disabled", "LoadState": "loaded", "MainPID": "0"}
        units.setdefault(path.name, found)
    for name in units:
        units[name]["loaded"] = on_disk(name)
for name in names:
    if name not in units or name in os.environ.get("FAKE_FAILURE", ""):
        sys.exit(f"Unit {name} not found or broken.")
    if verb in ("enable", "disable"):
        units[name]["UnitFileState"] = f"{verb}d"
    elif verb in ("start", "restart"):
        run("ExecStartPre", name)
        units[name].update(ActiveState="active", MainPID=str(int(units[name]["MainPID"]) + 1))
    elif verb == "reload":
        run("ExecReload", name)
    elif verb == "stop":
        units[name].update(ActiveState="inactive", MainPID="0")
(home / "units.json").write_text(json.dumps(units))
"""
HEALTH = """
import os, pathlib, sys
with (pathlib.Path(os.environ["FAKE_HOST"]) / "commands").open("a") as stream:
    stream.write("health " + " ".join(sys.argv[1:]) + "\\n")
sys.exit(os.environ.get("FAKE_ILLNESS") if os.environ.get("FAKE_ILL") in sys.argv else 0)
"""


class Host:
    """Files, units, and the commands that systemd got."""

    def __init__(self, folder, monkeypatch, capsys):
        self.folder, self.monkeypatch, self.capsys = folder, monkeypatch, capsys
        self.system = folder / "system"
        self.etc = folder / "etc"
        for path in (self.system, self.etc, folder / "bin"):
            path.mkdir()
        self.program("systemctl", SYSTEMCTL)
        self.program("airflow-health", HEALTH)
        self.program("journalctl", "import sys; print(*sys.argv[4:])")
        self.save({})
        monkeypatch.setenv("FAKE_HOST", str(folder))
        monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")

    def program(self, name, text):
        path = self.folder / "bin" / name
        path.write_text(f"#!{sys.executable} -S\n{text}")
        path.chmod(0o755)
        return path

    def save(self, units):
        (self.folder / "units.json").write_text(json.dumps(units))

    def units(self):
        return json.loads((self.folder / "units.json").read_text())

    def change(self, unit, **properties):
        units = self.units()
        units[unit].update(properties)
        self.save(units)

    def add(self, unit, *, active=True, enabled=True):
        """A unit of a package, as systemd has read it."""
        path = self.system / unit
        drop_ins = sorted((self.system / f"{unit}.d").glob("*.conf"))
        loaded = "".join(each.read_text() for each in (path, *drop_ins) if each.exists())
        state = {
            "ActiveState": "active" if active else "inactive",
            "UnitFileState": "enabled" if enabled else "disabled",
        }
        self.save(
            {
                **self.units(),
                unit: {**state, "LoadState": "loaded", "MainPID": "7" if active else "0", "loaded": loaded},
            }
        )

    def write(self, name, text="one\n"):
        path = self.etc / name
        path.write_text(text)
        return str(path)

    def systemd(self, verb, unit):
        """What systemd does by itself."""
        subprocess.run(["systemctl", verb, unit], check=True)
        self.commands()

    def commands(self):
        """Commands of systemd and the health check since the last question."""
        path = self.folder / "commands"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def run(self, module, *, check=False, **arguments):
        """Result of a module."""
        with patch_module_args({**arguments, "_ansible_check_mode": check, "_ansible_diff": True}):
            with pytest.raises(SystemExit):
                import_module(f"ansible_collections.flightdeck.airflow.plugins.modules.{module}").main()
        return json.loads(self.capsys.readouterr().out)


@pytest.fixture
def host(tmp_path, monkeypatch, capsys):
    write = _files.write_text
    monkeypatch.setattr(
        _files, "write_text", lambda path, text, _uid, _gid, mode: write(path, text, os.getuid(), os.getgid(), mode)
    )
    monkeypatch.setattr(_systemd, "UNIT_DIR", str(tmp_path / "system"))
    monkeypatch.setattr(_systemd, "RECORDS", str(tmp_path / "run"))
    return Host(tmp_path, monkeypatch, capsys)
