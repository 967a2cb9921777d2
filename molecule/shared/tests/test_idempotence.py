"""Check mode finds nothing to do on a converged cluster, and a changed option restarts only what reads it."""

from __future__ import annotations

import re
from pathlib import Path

from cluster_access import ansible

SITE = str(Path(__file__).parents[3] / "site.yml")


def test_check_mode_finds_nothing_to_do():
    output = ansible(SITE, "--check", "--diff", program="ansible-playbook", timeout=600)
    recap = re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", output, re.MULTILINE)
    assert recap
    assert [host for host, changed in recap if changed != "0"] == [], output[-4000:]
