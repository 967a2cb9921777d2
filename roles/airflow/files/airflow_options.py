"""Print what airflow.cfg may hold, as JSON: asks the Airflow of the Python that runs this.

Names of sections and options, types, which are sensitive, which were renamed or removed. No descriptions, no defaults.
With the argument ``--raw``: all that ``reference`` needs to know.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

TYPED = {"getint": "integer", "getfloat": "float", "getboolean": "boolean", "getjson": "json"}
UNTYPED = {"get", "get_mandatory_value"}
TYPES = {"integer", "float", "boolean", "json", "string"}
CALL = re.compile(r'conf\.(get\w*)\(\s*(?:section=)?"([a-z_.]+)",\s*(?:key=)?"(\w+)"')


def inspect() -> dict[str, Any]:
    """What the installed packages say.

    The description has types that the code does not stick to, so the code's own getters are read too.
    """
    import airflow
    from airflow.cli.commands.config_command import CONFIGS_CHANGES
    from airflow.configuration import conf
    from airflow.providers_manager import ProvidersManager

    ProvidersManager().initialize_providers_configuration()
    getters: dict[str, set[str]] = {}
    for path in Path(airflow.__file__).parent.rglob("*.py"):
        text = path.read_text(errors="ignore")
        for getter, section, option in CALL.findall(text):
            getters.setdefault(f"{section}.{option.lower()}", set()).add(getter)
    renamed = {f"{old[0]}.{old[1]}": f"{new[0]}.{new[1]}" for new, old in conf.deprecated_options.items()}
    removed, invalid = set(), {}
    for change in CONFIGS_CHANGES:
        name = f"{change.config.section}.{change.config.option}"
        if change.renamed_to:
            renamed.setdefault(name, f"{change.renamed_to.section}.{change.renamed_to.option}")
        elif change.default_change:
            continue
        elif change.was_removed:
            removed.add(name)
        # The table of Airflow 2 is about what Airflow 3 will refuse.
        if change.is_invalid_if is not None and not change.was_removed and airflow.__version__ >= "3":
            invalid[name] = change.is_invalid_if
    return {
        "version": airflow.__version__,
        "sections": {
            section: {
                option: {"type": entry.get("type"), "default": entry.get("default")}
                for option, entry in (content.get("options") or {}).items()
            }
            for section, content in conf.configuration_description.items()
        },
        "getters": {name: sorted(found) for name, found in getters.items()},
        "sensitive": sorted(f"{section}.{option}" for section, option in conf.sensitive_config_values),
        "renamed": renamed,
        "removed": sorted(removed),
        "invalid": invalid,
    }


def kind(name: str, described: str | None, getters: list[str]) -> str:
    """The type of an option: the described one, unless the code reads it as another and only so."""
    typed = {TYPED[getter] for getter in getters if getter in TYPED}
    only_typed = typed and not UNTYPED & set(getters)
    if "json" in typed or name.endswith("_kwargs"):
        return "json"
    if only_typed and described in (None, "string"):
        return "float" if "float" in typed else min(typed)
    if described == "integer" and typed == {"float"}:
        return "float"
    return described if described in TYPES else "string"


def reference(found: dict[str, Any], elsewhere: Collection[str] = ()) -> dict[str, Any]:
    """What is known of the options, from what ``inspect`` has ``found``.

    ``elsewhere`` holds the options that other versions describe: code may ask for them and not find them.
    """
    sections: dict[str, dict[str, str]] = {}
    for section, options in found["sections"].items():
        for option, entry in options.items():
            name = f"{section}.{option}"
            words = [kind(name, entry["type"], found["getters"].get(name, []))]
            # An empty value is read as the default only where the default is empty.
            words += ["empty"] if words[0] != "string" and entry["default"] in (None, "") else []
            words += ["sensitive"] if name in found["sensitive"] else []
            sections.setdefault(section, {})[option] = " ".join(words)
    gone = {*found["renamed"], *found["removed"], *elsewhere}
    for name, getters in found["getters"].items():
        section, _dot, option = name.rpartition(".")
        if section in sections and option not in sections[section] and name not in gone:
            sections[section][option] = kind(name, None, getters)
    known = {f"{section}.{option}" for section, options in sections.items() for option in options}
    # Airflow hands these on to a library, whatever they hold.
    free = [name for name in sections if name == "sentry" or name.endswith(("_configs", "_transport_options"))]
    return {
        "airflow": found["version"],
        "sections": sections,
        "free_sections": sorted(free),
        "renamed": {old: new for old, new in found["renamed"].items() if old not in known and new in known},
        "removed": sorted(name for name in found["removed"] if name not in known),
        "invalid": {name: value for name, value in found["invalid"].items() if name in known},
    }


if __name__ == "__main__":
    # Airflow logs to the output.
    answer = inspect()
    print("FOUND=" + json.dumps(answer if "--raw" in sys.argv else reference(answer)))
