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
TOPICS = ROOT / ".config" / "topics.yml"
DEFAULTS = ROOT / "roles" / "airflow" / "defaults" / "main"
# Where options without a default belong, which have no file: an address to the cluster, the others are secrets.
ADDRESS = "airflow_address"


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


def topics(options: dict[str, Any]) -> list[tuple[dict[str, Any], list[str]]]:
    """Sections with the names of their ``options``, in the order of the spec: those of .config/topics.yml, then one for
    each file of defaults that none of these names.
    """
    place = {
        name: path.stem
        for path in sorted(DEFAULTS.glob("*.yml"))
        for name in yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    }
    place[ADDRESS] = "cluster"
    found: list[dict[str, Any]] = yaml.safe_load(TOPICS.read_text(encoding="utf-8"))
    named = {stem for topic in found for stem in topic["files"]}
    others = sorted({place.get(name, "secrets") for name in options} - named)
    found += [{"title": stem.replace("_", " ").capitalize(), "files": [stem]} for stem in others]
    return [(topic, [name for name in options if place.get(name, "secrets") in topic["files"]]) for topic in found]


def sections(options: dict[str, Any], effects: dict[str, str]) -> str:
    """The tables of the settings, a section with an example for each topic."""
    text = ""
    for topic, names in topics(options):
        text += f"\n### {topic['title']}\n"
        if "text" in topic:
            text += f"\n{textwrap.fill(topic['text'], 100, break_long_words=False, break_on_hyphens=False)}\n"
        if "example" in topic:
            text += f"\n```yaml\n{topic['example']}```\n"
        rows = "".join(f"{row(name, options[name]).rstrip()} {effects[name]} |\n" for name in names)
        text += f"\n{SETTINGS}{rows}"
    return text


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
    settings = sections(specs[0]["cluster"]["options"], effects["variables"])
    return (
        HEAD
        + GROUP_COLUMNS
        + groups()
        + VARIABLES
        + legend
        + settings
        + ARGUMENTS
        + COLUMNS
        + "".join(row(name, every[name]) for name in names)
    )


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
