"""Write the table of codes into docs/troubleshooting.md. `make docs` runs it, a unit test compares."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CODES = ROOT / "plugins" / "plugin_utils" / "_validation" / "codes.py"
TARGET = ROOT / "docs" / "troubleshooting.md"
BEGIN = "<!-- Made from plugins/plugin_utils/_validation/codes.py by `make docs`: do not edit. -->\n"
END = "<!-- End of what `make docs` makes. -->\n"
HEAD = """
A code comes from the checks of the *inventory*, from the start of a *rotation*, from the
*preflight*, or from a task or module in the *run* itself. All but the last come before anything
changes.

| code | reported by | problem | remedy |
|---|---|---|---|
"""


def row(code: Any) -> str:
    """A line of the table; ``code`` is a member of the enumeration."""
    return f"| {code} | {', '.join(code.stages)} | {code.summary} | {code.remedy} |\n"


def render() -> str:
    """The whole page, with a new table between the two comments."""
    before, _, rest = TARGET.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}{HEAD}{''.join(map(row, runpy.run_path(str(CODES))['Code']))}\n{END}{after}"


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
