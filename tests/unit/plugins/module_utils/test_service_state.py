"""What systemctl show says about a unit."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.flightdeck.airflow.plugins.module_utils import _service_state

RUNNING = """LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
NeedDaemonReload=no
ActiveEnterTimestampMonotonic=5000000
StateChangeTimestampMonotonic=7500000
"""


def test_running_unit() -> None:
    unit = _service_state.parse(RUNNING, wall=1000.0, monotonic=10.0)
    assert (unit.found, unit.active, unit.failed, unit.enabled, unit.stale_definition) == (True, True, False, True, False)
    assert (unit.started_at, unit.state_changed_at) == (995.0, 997.5)


def test_unknown_unit() -> None:
    unit = _service_state.parse("LoadState=not-found\nActiveState=inactive\nUnitFileState=\nActiveEnterTimestampMonotonic=0\n")
    assert (unit.found, unit.active, unit.enabled, unit.started_at) == (False, False, False, 0.0)


def test_newer(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for path, moment in ((old, 990), (new, 996)):
        path.write_text("")
        os.utime(path, (moment, moment))
    times = _service_state.modified([str(old), str(new), str(tmp_path / "absent")])
    assert _service_state.newer(times, 995.0) == [str(new)]
