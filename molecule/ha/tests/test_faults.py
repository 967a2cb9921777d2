"""The promises of docs/reliability.md, each for the fault that it is made for.

The others take longer: see CONTRIBUTING.md.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from faults import FAULTS
from run import guard

OUTPUT = Path(__file__).parents[3] / ".cache/faults"


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.guards], ids=lambda fault: fault.name)
def test_a_promise_is_kept(fault):
    guard(fault, OUTPUT)
