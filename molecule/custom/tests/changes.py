"""Changes of what users bring: applied one after the other, each on top of those before, and what each restarted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from outside import play, run_in

CHANGES = Path(__file__).parents[1] / "changes"
HOSTS = ("core", "worker1")
_applied: list[str] = []


@dataclass(frozen=True)
class Change:
    """What ``site.yml`` printed, and the units that have another process since, as ``host/unit``."""

    output: str
    restarted: set[str]


def processes() -> dict[str, str]:
    """Process of each service of the cluster, by ``host/unit``."""
    found = {}
    for host in HOSTS:
        show = "systemctl show --property=Id,MainPID --type=service --state=active '*'"
        for block in run_in(f"fd-custom-{host}", "sh", "-c", show).split("\n\n"):
            unit = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            if unit.get("MainPID", "0") != "0":
                found[f"{host}/{unit['Id'].removesuffix('.service')}"] = unit["MainPID"]
    return found


def deploy(*arguments: str) -> str:
    """What ``site.yml`` printed, with the changes so far and ``arguments``."""
    return play("site.yml", *(argument for file in _applied for argument in ("-e", f"@{file}")), *arguments)


def change(subject: str) -> Change:
    """Deploy with the variables of ``changes/<subject>.yml`` on top of the changes before."""
    path = str(CHANGES / f"{subject}.yml")
    if path not in _applied:
        _applied.append(path)
    before = processes()
    output = deploy()
    after = processes()
    return Change(output, {unit for unit, process in after.items() if before.get(unit) != process})
