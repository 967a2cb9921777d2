"""No commit of a scheduler follows one of a later epoch, and another host is active soon: the faults that guard it.

All others: `make faults-lease`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from lease import FAULTS
from run import guard

OUTPUT = Path(__file__).parents[3] / ".cache/faults-lease"


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.guards], ids=lambda fault: fault.name)
def test_a_promise_is_kept(fault):
    guard(fault, OUTPUT)
