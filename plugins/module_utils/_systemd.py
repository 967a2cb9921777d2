"""What systemd says about units, and which settings their processes were started with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

UNIT_DIR = "/etc/systemd/system"
# Variable in a unit that changes with everything its process has read.
DIGEST = "FLIGHTDECK_DIGEST"

Run = Callable[[list[str]], tuple[int, str, str]]


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


def digest_of_text(content: str) -> str:
    """The digest that a unit file sets, empty when it sets none."""
    mark = f"Environment={DIGEST}="
    return next((line.removeprefix(mark).strip() for line in content.splitlines() if line.startswith(mark)), "")


def digest_of_process(pid: int) -> str:
    """The digest in the environment of a running process, empty when it has none or is gone."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as stream:
            entries = stream.read().split(b"\0")
    except OSError:
        return ""
    mark = f"{DIGEST}=".encode()
    return next((os.fsdecode(entry.removeprefix(mark)) for entry in entries if entry.startswith(mark)), "")
