"""No commit of a scheduler comes after one of a later turn, and somebody acts soon: the faults that guard it. All others: `make turns`."""

from __future__ import annotations

from pathlib import Path

import pytest
from run import guard
from turns import FAULTS

OUTPUT = Path(__file__).parents[3] / ".cache/turns"


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.guards], ids=lambda fault: fault.name)
def test_a_promise_is_kept(fault):
    guard(fault, OUTPUT)
