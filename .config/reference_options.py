"""Write what airflow.cfg may hold: one file per tested Airflow under plugins/plugin_utils/_catalog/options.

Run by ``make lock``, after the locks. Installs each locked Airflow into a throw-away environment and asks the installed
packages, as the build of a release does.
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
FILES = ROOT / "roles" / "airflow" / "files"
LOCKS = FILES / "locks"
SCRIPT = FILES / "airflow_options.py"
CATALOG = ROOT / "plugins" / "plugin_utils" / "_catalog"
TARGET = CATALOG / "options"
VERSIONS = tuple(runpy.run_path(str(CATALOG / "versions.py"))["VERSIONS"])
PYTHON = "3.11"


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
        done = subprocess.run([python, SCRIPT, "--raw"], check=True, capture_output=True, text=True, env=environment)
    line = next(line for line in done.stdout.splitlines() if line.startswith("FOUND="))
    return dict(json.loads(line.removeprefix("FOUND=")))


def main() -> int:
    """Write all files."""
    reference = runpy.run_path(str(SCRIPT))["reference"]
    found = {version: inspect(version) for version in VERSIONS}
    described = {
        version: {f"{section}.{option}" for section, options in content["sections"].items() for option in options}
        for version, content in found.items()
    }
    TARGET.mkdir(exist_ok=True)
    for version, content in found.items():
        elsewhere = set().union(*(names for other, names in described.items() if other != version))
        text = json.dumps(reference(content, elsewhere), indent=1, sort_keys=True) + "\n"
        (TARGET / f"{version}.json").write_text(text, encoding="utf-8")
        print(f"wrote {version}.json", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
