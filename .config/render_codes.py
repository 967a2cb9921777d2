"""Write docs/codes.md, a heading for each code, to which messages and pages can link. `make docs` runs it, a unit test
compares.
"""

from __future__ import annotations

import runpy
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CODES = ROOT / "plugins" / "plugin_utils" / "_validation" / "codes.py"
TARGET = ROOT / "docs" / "codes.md"
HEAD = """# Error codes

Made from `plugins/plugin_utils/_validation/codes.py` by `make docs`.

A code is the name of one kind of problem. It begins the line of the message that reports it, and it
is the anchor of its entry here: `codes.md#fd101`. A code comes from the checks of the *inventory*,
from the start of a *rotation*, from the *preflight*, which checks the hosts, or from a task or
module in the *run* itself. All but the last come before anything changes.

Each entry has the problem, what to do, and who reports it. The message itself says where, what was
found and what was expected.
"""


def entry(code: Any) -> str:
    """The section of a member of the enumeration."""
    summary = code.summary[0].upper() + code.summary[1:]
    remedy = textwrap.fill(
        f"- **Remedy**: {code.remedy}.", 100, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    problem = textwrap.fill(f"{summary}.", 100, break_long_words=False, break_on_hyphens=False)
    return f"\n### {code}\n\n{problem}\n\n{remedy}\n- **Reported by**: {', '.join(code.stages)}.\n"


def render() -> str:
    """The whole page, with a section for each hundred of codes."""
    text, hundred = HEAD, ""
    for code in runpy.run_path(str(CODES))["Code"]:
        if code[:3] != hundred:
            hundred = code[:3]
            text += f"\n## {hundred}xx\n"
        text += entry(code)
    return text


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
