"""Write the reference of all variables, docs/variables.md, from the argument specs.

`make docs` runs it, a unit test compares.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "variables.md"
HEAD = """# Variables

Made from the roles' `meta/argument_specs.yml` by `make docs`. Which variables may differ between
hosts: [inventory](inventory.md). The others belong into `group_vars/all`. Secrets without a default
are made on the first run.

"""
ARGUMENTS = """
## Arguments of playbooks

What one run of a playbook needs, given with `-e`. They are no settings: leave them out of the
inventory.

"""
COLUMNS = "| variable | type | default | meaning |\n|---|---|---|---|\n"


def cell(text: str) -> str:
    """Text that fits into a table."""
    for mark in ("C(", "V(", "O("):
        while mark in text:
            start = text.index(mark)
            end = text.index(")", start)
            text = f"{text[:start]}`{text[start + 2 : end]}`{text[end + 1 :]}"
    return text.replace("|", "\\|").replace("\n", " ")


def row(name: str, option: dict[str, Any]) -> str:
    """A line of the table."""
    default = (
        f"`{json.dumps(option['default'])}`" if "default" in option else ("made once" if option.get("no_log") else "")
    )
    choices = f" One of {', '.join(option['choices'])}." if "choices" in option else ""
    return f"| `{name}` | {option['type']} | {cell(default)} | {cell(option['description'])}{choices} |\n"


def render() -> str:
    """The whole page: the settings, then the arguments that entry points of other names read."""
    paths = [ROOT / "roles" / role / "meta" / "argument_specs.yml" for role in ("airflow", "metastore")]
    specs = [yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"] for path in paths]
    names = yaml.safe_load((ROOT / "roles/airflow/defaults/main/arguments.yml").read_text(encoding="utf-8"))
    every: dict[str, dict[str, Any]] = {}
    for entry_points in specs:
        for entry_point in entry_points.values():
            every = {**entry_point["options"], **every}
    settings = "".join(row(name, option) for name, option in specs[0]["cluster"]["options"].items())
    return HEAD + COLUMNS + settings + ARGUMENTS + COLUMNS + "".join(row(name, every[name]) for name in names)


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
