"""Write the reference of all variables, docs/variables.md, from the argument specs. `make docs` runs it, a unit test compares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "variables.md"
HEAD = """# Variables

Made from `roles/airflow/meta/argument_specs.yml` by `make docs`. Which variables may differ between hosts: [inventory](inventory.md). The
others belong into `group_vars/all`. Secrets without a default are made on the first run.

| variable | type | default | meaning |
|---|---|---|---|
"""


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
    default = f"`{json.dumps(option['default'])}`" if "default" in option else ("made once" if option.get("no_log") else "")
    choices = f" One of {', '.join(option['choices'])}." if "choices" in option else ""
    return f"| `{name}` | {option['type']} | {cell(default)} | {cell(option['description'])}{choices} |\n"


def render() -> str:
    """The whole page."""
    specs = yaml.safe_load((ROOT / "roles/airflow/meta/argument_specs.yml").read_text(encoding="utf-8"))
    options: dict[str, dict[str, Any]] = specs["argument_specs"]["cluster"]["options"]
    return HEAD + "".join(row(name, option) for name, option in options.items())


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
