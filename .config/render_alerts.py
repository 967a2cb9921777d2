"""Write the addresses of runbooks into roles/monitoring/files/airflow.rules.yml: below the documentation's address
in galaxy.yml, the heading of the alert in docs/monitoring.md.

`make docs` runs it, a unit test compares.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
RULES = ROOT / "roles/monitoring/files/airflow.rules.yml"
ALERT = re.compile(r"(- alert: (\w+)\n(?:(?! +- alert:).*\n)*? +runbook_url: )\S+")


def render() -> str:
    """The rules with the addresses."""
    address = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["documentation"]
    return ALERT.sub(
        lambda match: f"{match.group(1)}{address}/monitoring.html#{match.group(2).lower()}",
        RULES.read_text(encoding="utf-8"),
    )


if __name__ == "__main__":
    RULES.write_text(render(), encoding="utf-8")
