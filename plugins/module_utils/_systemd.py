# Copyright flightdeck.airflow contributors
# SPDX-License-Identifier: Apache-2.0
"""What systemd says about units, and with which settings their processes were started.

For every service alike, digests say whether its process runs with the settings that are on disk:

- The digest of all that the process reads stands beside its unit in ``restart.digest``, the digest of what a reload
  is enough for in ``reload.digest``.
- A drop-in of the unit makes systemd copy both to ``/run/flightdeck/<unit>`` before each start, and the second one
  after each reload.
- A copy that differs asks for a restart or a reload. So does one that is missing: the process was started without the
  drop-in.

Neither a clock nor the time of a file is asked. A run that is killed between writing and restarting leaves the
difference for the next one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.flightdeck.airflow.plugins.module_utils import _files

UNIT_DIR = "/etc/systemd/system"
RECORDS = "/run/flightdeck"
RESTART, RELOAD = "restart.digest", "reload.digest"
# The last of a unit's drop-ins: one that resets a list of commands, as an operator's may, stands before it.
DROP_IN = "zz-flightdeck.conf"
# The condition of a unit file that a file does not exist.
_HELD_BY = "ConditionPathExists=!"
_PROPERTIES = "LoadState,ActiveState,UnitFileState,NeedDaemonReload,MainPID"

# Settings that systemd applies to a running unit, or uses at its next start, stop or reload.
APPLIED_AT_ONCE = frozenset(
    {
        "CPUWeight",
        "ExecReload",
        "KillMode",
        "MemoryMax",
        "OOMPolicy",
        "Restart",
        "RestartSec",
        "TasksMax",
        "TimeoutStartSec",
        "TimeoutStopSec",
    }
)
_ENABLED = frozenset({"enabled", "enabled-runtime", "static", "alias", "generated", "indirect"})

Run = Callable[[list[str]], tuple[int, str, str]]


@dataclass(frozen=True)
class State:
    """State of one unit."""

    found: bool
    active: bool
    failed: bool
    # Nothing of it runs any more.
    ended: bool
    stopping: bool
    enabled: bool
    # Its files are not those that systemd has read.
    outdated: bool
    # Its main process, 0 without one.
    pid: int


def show(run: Run, units: Iterable[str], properties: str) -> dict[str, dict[str, str]]:
    """Properties (comma-separated) of each unit. Raises OSError when systemd does not answer."""
    names = list(units)
    if not names:
        return {}
    code, out, err = run(["systemctl", "show", f"--property=Id,{properties}", *names])
    if code:
        raise OSError(f"systemctl show failed: {err.strip()}")
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in out.split("\n\n")]
    return dict(zip(names, (block for block in blocks if block), strict=False))


def states(run: Run, units: Iterable[str]) -> dict[str, State]:
    """State of each of ``units``, in their order. Raises OSError when systemd does not answer."""
    return {unit: _state(properties) for unit, properties in show(run, units, _PROPERTIES).items()}


def _state(properties: Mapping[str, str]) -> State:
    active = properties.get("ActiveState", "inactive")
    return State(
        found=properties.get("LoadState", "not-found") != "not-found",
        active=active in ("active", "reloading"),
        failed=active == "failed",
        ended=active in ("inactive", "failed"),
        stopping=active == "deactivating",
        enabled=properties.get("UnitFileState") in _ENABLED,
        outdated=properties.get("NeedDaemonReload") == "yes",
        pid=int(properties.get("MainPID") or 0),
    )


def unit_path(unit: str) -> str:
    """Path of a unit file of ours."""
    return os.path.join(UNIT_DIR, unit)


def drop_in_dir(unit: str) -> str:
    """Directory of a unit's drop-ins and digests."""
    return os.path.join(UNIT_DIR, f"{unit}.d")


def drop_in(*, reloads: bool) -> str:
    """Text of the drop-in that records the digests. A unit that cannot reload gets no command for that."""
    copy = f"-+/usr/bin/install -D --mode=0600 --target-directory={RECORDS}/%n"
    source = f"{UNIT_DIR}/%n.d"
    lines = [
        "# Written by Ansible: with which settings the process was started.",
        "[Service]",
        f"ExecStartPre={copy} {source}/{RESTART} {source}/{RELOAD}",
    ]
    lines += [f"ExecReload={copy} {source}/{RELOAD}"] if reloads else []
    return "".join(f"{line}\n" for line in lines)


def wanted(unit: str, kind: str) -> str:
    """The digest beside the unit, empty when there is none. Raises OSError."""
    return (_files.read_text(os.path.join(drop_in_dir(unit), kind)) or "").strip()


def recorded(unit: str, kind: str) -> str:
    """The digest that was current when the process started or reloaded, empty when that is not known.

    Raises OSError.
    """
    return (_files.read_text(os.path.join(RECORDS, unit, kind)) or "").strip()


def outdated(unit: str) -> bool:
    """Whether a unit was defined here, and its process was started with other settings than those on disk.

    Raises OSError.
    """
    return recorded(unit, RESTART) != wanted(unit, RESTART)


def held(unit: str, text: str | None = None, gone: Iterable[str] = ()) -> bool:
    """Whether a file on this host keeps ``unit`` from starting, by a condition of its unit file or of that ``text``.

    systemd takes such a start for a success. Files that are about to be ``gone`` do not count. Raises OSError.
    """
    lines = (text or _files.read_text(unit_path(unit)) or "").splitlines()
    paths = {line.removeprefix(_HELD_BY).strip() for line in lines if line.startswith(_HELD_BY)}
    return any(os.path.exists(path) for path in paths.difference(gone))


def process_settings(text: str, ignored: Sequence[str] = ()) -> list[str]:
    """Lines of a unit file or drop-in that take effect when the process starts, without those that begin with
    ``ignored``."""
    section, found = "", []
    for line in (line.strip() for line in text.splitlines()):
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and not line.startswith(("#", ";", *ignored)):
            found += [line] if line.split("=", 1)[0] not in APPLIED_AT_ONCE else []
    return found


def digest(
    known: str, paths: Iterable[str], *, texts: Mapping[str, str] | None = None, ignored: Sequence[str] = ()
) -> str:
    """Digest of ``known`` and of the files ``paths``, in hexadecimal digits. Raises OSError.

    A file that is absent counts, too. Of unit files and drop-ins only what a process is started with does. ``texts``
    are contents that files are going to have.
    """
    parts: dict[str, list[str] | str | None] = {}
    for path in sorted(set(paths)):
        text = (texts or {}).get(path, _files.read_text(path))
        if text is None:
            parts[path] = None
        elif path.startswith(f"{UNIT_DIR}/"):
            parts[path] = process_settings(text, ignored)
        else:
            parts[path] = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
    return hashlib.sha256(json.dumps([known, parts]).encode()).hexdigest()
