# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""Brings systemd units to the settings that are on disk; what the rule is says ``_systemd``."""

from __future__ import annotations

import contextlib
import fnmatch
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.flightdeck.airflow.plugins.module_utils import _files, _systemd


@dataclass(frozen=True)
class Definition:
    """What the process of a unit reads.

    ``known`` is a digest of what no file tells, ``pending`` are files that are about to change, which only matters in
    check mode.
    ``companions`` are units that work for this one, such as the timer of its health check.
    """

    restart_on: Sequence[str] = ()
    reload_on: Sequence[str] = ()
    known: str = ""
    unit_file: str | None = None
    ignored_lines: Sequence[str] = ()
    pending: Sequence[str] = ()
    companions: Sequence[str] = ()

    def digests(self, unit: str) -> dict[str, str]:
        """The digest of each kind. Raises OSError."""
        own = {} if self.unit_file is None else {_systemd.unit_path(unit): self.unit_file}
        restart = _systemd.digest(self.known, [*self.restart_on, *own], texts=own, ignored=tuple(self.ignored_lines))
        return {_systemd.RESTART: restart, _systemd.RELOAD: _systemd.digest("", self.reload_on)}

    def changes(self) -> set[str]:
        """The kinds of digests that are going to be others once the pending files are written."""
        read = {_systemd.RESTART: self.restart_on, _systemd.RELOAD: self.reload_on}
        return {kind for kind, paths in read.items() if not set(self.pending).isdisjoint(paths)}


@dataclass
class Services:
    """Acts on units by systemctl, and notes what it does; in check mode it only notes."""

    module: AnsibleModule
    change: _files.Change = field(default_factory=_files.Change)
    # Such as "restart redis-server.service".
    actions: list[str] = field(default_factory=list)

    def fail(self, message: str) -> None:
        """Fail the module, with what was done so far."""
        self.module.fail_json(msg=message, actions=self.actions)

    def act(self, verb: str, *units: str) -> None:
        """Do something with all ``units`` at once; a failure shows the end of their journal."""
        self.actions += [f"{verb} {unit}" for unit in units]
        if units:
            self._systemctl(verb, *units)
            self._check_records(verb, units)

    def _check_records(self, verb: str, units: Iterable[str]) -> None:
        """Warn of units whose settings systemd did not record: each run would restart or reload them."""
        kind = {"start": _systemd.RESTART, "restart": _systemd.RESTART, "reload": _systemd.RELOAD}.get(verb)
        for unit in units:
            if kind and not self.module.check_mode and _systemd.recorded(unit, kind) != _systemd.wanted(unit, kind):
                again = kind.partition(".")[0]
                self.module.warn(
                    f"After the {verb} of {unit}, systemd recorded no new settings in "
                    f"{_systemd.RECORDS}/{unit}/{kind}; "
                    f"the next run would {again} it again. See journalctl --unit={unit}."
                )

    def reload_definitions(self) -> None:
        """Have systemd read the files of all units."""
        self.actions.append("daemon-reload")
        self._systemctl("daemon-reload")

    def _systemctl(self, verb: str, *units: str) -> None:
        if self.module.check_mode:
            return
        options = ["--quiet"] if verb in ("enable", "disable") else []
        code, out, err = self.module.run_command(["systemctl", verb, *options, *units])
        if code:
            command = " ".join(["systemctl", verb, *units])
            self.fail(f"{command} failed: {(err or out).strip()}\n{self.journal(units)}".strip())

    def journal(self, units: Iterable[str]) -> str:
        """The end of the journal of ``units``."""
        named = [f"--unit={unit}" for unit in units]
        if not named:
            return ""
        return str(
            self.module.run_command(["journalctl", "--no-pager", "--lines=40", "--output=short", *named])[1]
        ).strip()

    def states(self, units: Iterable[str]) -> dict[str, _systemd.State]:
        """State of each unit now. Raises OSError."""
        return _systemd.states(self.module.run_command, units)

    def put(self, path: str, text: str, mode: int, *, shown: bool = True) -> bool:
        """Write a file of root's; whether it was another one. Raises OSError."""
        before = _files.read_text(path)
        if before == text:
            return False
        if shown:
            self.change.add(path, before or "", text)
        if not self.module.check_mode:
            _files.write_text(path, text, 0, 0, mode)
        return True

    def define(self, unit: str, definition: Definition, state: _systemd.State) -> tuple[_systemd.State, set[str]]:
        """Write what belongs to ``unit``; return its state afterwards, and the kinds of digests that its process lacks.

        The drop-in comes first: it tells that the unit is ours. Digests come after systemd has read the unit, because a
        start at this point has to be one with these settings. Raises OSError.
        """
        # Of timers and the like nothing runs: systemd applies their files when it reads them.
        is_service = unit.endswith(".service")
        outdated = state.outdated or (not is_service and self.states([_triggered(unit)])[_triggered(unit)].outdated)
        # systemd does not always notice a directory of drop-ins that is new, as a killed run leaves it.
        outdated |= is_service and state.active and not _systemd.recorded(unit, _systemd.RESTART)
        folder = _systemd.drop_in_dir(unit)
        written = is_service and self.put(
            f"{folder}/{_systemd.DROP_IN}", _systemd.drop_in(reloads=bool(definition.reload_on)), 0o644
        )
        if definition.unit_file is not None:
            written |= self.put(_systemd.unit_path(unit), definition.unit_file, 0o644)
        if written or outdated:
            self.reload_definitions()
            state = self.states([unit])[unit]
        digests = definition.digests(unit) if is_service else {}
        for kind, digest in digests.items():
            # They are of secrets, too.
            self.put(f"{folder}/{kind}", f"{digest}\n", 0o600, shown=False)
        lacking = {kind for kind, digest in digests.items() if _systemd.recorded(unit, kind) != digest}
        return state, lacking | (definition.changes() if self.module.check_mode else set())

    def run(
        self,
        unit: str,
        definition: Definition,
        *,
        restart: bool = True,
        before_restart: Callable[[], None] | None = None,
    ) -> bool:
        """Have ``unit`` run, now and at boot, with the settings on disk; whether it needs a restart that ``restart``
        forbids.

        ``before_restart`` returns when the running unit may restart. A unit that a file keeps from starting is defined,
        and left as it is. Raises OSError.
        """
        states = self.states([unit, *definition.companions])
        # Nothing else has systemd read the files of the companions.
        before = replace(states[unit], outdated=any(state.outdated for state in states.values()))
        state, lacking = self.define(unit, definition, before)
        if not state.found and not self.module.check_mode:
            self.fail(f"systemd does not know {unit}; is its package installed?")
        if _systemd.held(unit, definition.unit_file):
            return False
        if not state.enabled:
            self.act("enable", unit)
        if not state.active:
            if state.pid and not state.stopping and _systemd.RESTART in lacking:
                # It hangs in its start with old settings. It serves nothing yet, so no quorum depends on it.
                self.act("restart", unit)
            else:
                self.start({unit: state})
            return False
        if _systemd.RESTART in lacking and restart:
            if before_restart and not self.module.check_mode:
                before_restart()
            self.act("restart", unit)
            return False
        if _systemd.RELOAD in lacking and definition.reload_on:
            self.act("reload", unit)
        return _systemd.RESTART in lacking

    def start(self, states: Mapping[str, _systemd.State]) -> None:
        """Start those of the units that do not run."""
        for unit, state in states.items():
            if state.failed and not self.module.check_mode:
                self._systemctl("reset-failed", unit)
        self.act("start", *(unit for unit, state in states.items() if not state.active))

    def remove(self, units: Iterable[str]) -> None:
        """Stop and remove units of ours: all at once, because each may take its time. Raises OSError."""
        names = list(units)
        if not names:
            return
        self.act("disable", *names)
        self.act("stop", *names)
        for unit in names:
            written = [
                os.path.join(_systemd.drop_in_dir(unit), name)
                for name in (_systemd.RESTART, _systemd.RELOAD, _systemd.DROP_IN)
            ]
            records = [os.path.join(_systemd.RECORDS, unit, kind) for kind in (_systemd.RESTART, _systemd.RELOAD)]
            # The drop-in last: without it the unit is not ours.
            for path in (*records, _systemd.unit_path(unit), *written):
                _files.ensure_absent(path, self.change, check=self.module.check_mode)
            for folder in (os.path.join(_systemd.RECORDS, unit), _systemd.drop_in_dir(unit)):
                # What others have put there stays.
                with contextlib.suppress(FileNotFoundError):
                    if not self.module.check_mode and not os.listdir(folder):
                        os.rmdir(folder)
        self.reload_definitions()


def _triggered(unit: str) -> str:
    """The service that a timer starts."""
    return f"{unit.rpartition('.')[0]}.service"


def present(patterns: Iterable[str]) -> list[str]:
    """Names of the unit files of ours that match one of the shell ``patterns``; templates (``name@.service``) are
    none."""
    names = [name for name in os.listdir(_systemd.UNIT_DIR) if "@." not in name and not name.endswith(".d")]
    return sorted({name for pattern in patterns for name in fnmatch.filter(names, pattern)})
