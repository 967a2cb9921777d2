"""The promises of docs/reliability.md, each for the fault that it is made for. The others take longer: see CONTRIBUTING.md."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cluster import Cluster
from faults import FAULTS
from run import once

OUTPUT = Path(__file__).parents[3] / ".cache/faults"


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.guards], ids=lambda fault: fault.name)
def test_a_promise_is_kept(fault):
    verdict = once(Cluster(), fault, OUTPUT / f"{fault.name}-{time.strftime('%Y%m%dT%H%M%S')}")
    print(verdict)
    assert verdict["broken"] == []
