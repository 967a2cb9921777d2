"""Write what airflow.cfg may hold: one file per supported Airflow under plugins/plugin_utils/_catalog/options.

Run by ``make lock``, after the locks. Installs each locked Airflow into a throw-away environment and asks the installed
packages: names of sections and options, types, which are sensitive, which were renamed or removed. No descriptions, no
defaults.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "roles" / "airflow" / "files" / "locks"
TARGET = ROOT / "plugins" / "plugin_utils" / "_catalog" / "options"
VERSIONS = tuple(runpy.run_path(str(ROOT / "plugins/plugin_utils/_catalog/versions.py"))["VERSIONS"])
PYTHON = "3.11"

# Runs inside the environment. The description has types that the code does not stick to, so the code's own getters are
# read too.
SCRIPT = r"""
import json, re
from pathlib import Path
import airflow
from airflow.cli.commands.config_command import CONFIGS_CHANGES
from airflow.configuration import conf
from airflow.providers_manager import ProvidersManager
ProvidersManager().initialize_providers_configuration()
getters = {}
call = re.compile(r'conf\.(get\w*)\(\s*(?:section=)?"([a-z_.]+)",\s*(?:key=)?"(\w+)"')
for path in Path(airflow.__file__).parent.rglob("*.py"):
    text = path.read_text(errors="ignore")
    for getter, section, option in call.findall(text):
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
print("FOUND=" + json.dumps({
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
}))
"""

TYPED = {"getint": "integer", "getfloat": "float", "getboolean": "boolean", "getjson": "json"}
UNTYPED = {"get", "get_mandatory_value"}
TYPES = {"integer", "float", "boolean", "json", "string"}


def inspect(version: str) -> dict[str, Any]:
    """What the packages of the lock for ``version`` say. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as directory:
        venv = Path(directory) / "venv"
        python = venv / "bin" / "python"
        lock = LOCKS / f"airflow-{version}-py{PYTHON}.txt"
        subprocess.run(["uv", "venv", "--quiet", "--python", PYTHON, str(venv)], check=True)
        install = [
            "uv",
            "pip",
            "install",
            "--quiet",
            "--python",
            str(python),
            "--require-hashes",
            "--requirement",
            str(lock),
        ]
        subprocess.run(install, check=True)
        environment = {**os.environ, "AIRFLOW_HOME": f"{directory}/home"}
        done = subprocess.run([python, "-c", SCRIPT], check=True, capture_output=True, text=True, env=environment)
    line = next(line for line in done.stdout.splitlines() if line.startswith("FOUND="))
    return dict(json.loads(line.removeprefix("FOUND=")))


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


def reference(version: str, found: dict[str, Any], elsewhere: set[str]) -> dict[str, Any]:
    """The file of ``version``.

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
    gone = {*found["renamed"], *found["removed"]}
    for name, getters in found["getters"].items():
        section, _, option = name.rpartition(".")
        if section in sections and option not in sections[section] and name not in gone | elsewhere:
            sections[section][option] = kind(name, None, getters)
    known = {f"{section}.{option}" for section, options in sections.items() for option in options}
    # Airflow hands these on to a library, whatever they hold.
    free = [name for name in sections if name == "sentry" or name.endswith(("_configs", "_transport_options"))]
    return {
        "airflow": version,
        "sections": sections,
        "free_sections": sorted(free),
        "renamed": {old: new for old, new in found["renamed"].items() if old not in known and new in known},
        "removed": sorted(name for name in found["removed"] if name not in known),
        "invalid": {name: value for name, value in found["invalid"].items() if name in known},
    }


def main() -> int:
    """Write all files."""
    found = {version: inspect(version) for version in VERSIONS}
    described = {
        version: {f"{section}.{option}" for section, options in content["sections"].items() for option in options}
        for version, content in found.items()
    }
    TARGET.mkdir(exist_ok=True)
    for version, content in found.items():
        elsewhere = set().union(*(names for other, names in described.items() if other != version))
        text = json.dumps(reference(version, content, elsewhere), indent=1, sort_keys=True) + "\n"
        (TARGET / f"{version}.json").write_text(text, encoding="utf-8")
        print(f"wrote {version}.json", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
