"""Write the reference of the inventory, docs/variables.md: groups from the catalogue, variables from the specs.

`make docs` runs it, a unit test compares.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import yaml
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

ROOT = Path(__file__).parents[1]

_AnsibleCollectionFinder(paths=[str(ROOT / ".collections")])._install()

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import SERVICES

TARGET = ROOT / "docs" / "variables.md"
HEAD = """# Groups and variables

Made from the catalogue of services and the roles' `meta/argument_specs.yml` by `make docs`.

## Groups

A host may be in any number of groups.

"""
GROUP_COLUMNS = "| group | what its hosts run | hosts |\n|---|---|---|\n"
VARIABLES = """
## Variables

Which variables may differ between hosts: [inventory](inventory.md). The others belong into
`group_vars/all`. Secrets without a default are made on the first run.

The column *change* says what another value does to a cluster that runs, in one word or in a
sentence:

"""
ARGUMENTS = """
## Arguments of playbooks

What one run of a playbook needs, given with `-e`. They are no settings: leave them out of the
inventory.

"""
COLUMNS = "| variable | type | default | meaning |\n|---|---|---|---|\n"
SETTINGS = "| variable | type | default | meaning | change |\n|---|---|---|---|---|\n"
EFFECTS = ROOT / ".config" / "effects.yml"


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


def groups() -> str:
    """The lines of the table of groups."""
    return "".join(
        f"| `airflow_{service.name}` | {service.title} | {service.hosts} |\n"
        for service in SERVICES
        if not service.host_group
    )


def render() -> str:
    """The whole page: the groups, the settings, then the arguments that entry points of other names read."""
    paths = [ROOT / "roles" / role / "meta" / "argument_specs.yml" for role in ("airflow", "backup", "metastore")]
    specs = [yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"] for path in paths]
    names = yaml.safe_load((ROOT / "roles/airflow/defaults/main/arguments.yml").read_text(encoding="utf-8"))
    every: dict[str, dict[str, Any]] = {}
    for entry_points in specs:
        for entry_point in entry_points.values():
            every = {**entry_point["options"], **every}
    effects = yaml.safe_load(EFFECTS.read_text(encoding="utf-8"))
    legend = "".join(
        f"{textwrap.fill(f'- *{word}*: {text}.', 100, subsequent_indent='  ')}\n"
        for word, text in effects["effects"].items()
    )
    settings = "".join(
        f"{row(name, option).rstrip()} {effects['variables'][name]} |\n"
        for name, option in specs[0]["cluster"]["options"].items()
    )
    return (
        HEAD
        + GROUP_COLUMNS
        + groups()
        + VARIABLES
        + legend
        + "\n"
        + SETTINGS
        + settings
        + ARGUMENTS
        + COLUMNS
        + "".join(row(name, every[name]) for name in names)
    )


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
