"""Compile the hash locks of every supported (Airflow, Python): one file each under roles/airflow/files/locks.

Run by ``make lock``. The index, proxy and CA bundle are those of the machine; none of them is written into a lock.
"""

from __future__ import annotations

import itertools
import runpy
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "roles/airflow/files/locks"
CATALOG = ROOT / "plugins/plugin_utils/_catalog"
# Nothing newer than this day gets in, so that compiling again gives the same lock.
EXCLUDE_NEWER = "2026-10-15"
VERSIONS = runpy.run_path(str(CATALOG / "versions.py"))["VERSIONS"].values()
PLATFORMS = runpy.run_path(str(CATALOG / "platforms.py"))["PLATFORMS"].values()


def compile_lock(source: Path, target: Path, python: str) -> None:
    """Compile ``source`` into ``target`` for a Python patch release. Raises CalledProcessError."""
    command = [
        "uv",
        "pip",
        "compile",
        source.name,
        "--output-file",
        target.name,
        "--python-version",
        python,
        "--python-platform",
        "linux",
    ]
    command += ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--upgrade"]
    if source.name != "uv.in":
        command += ["--exclude-newer", EXCLUDE_NEWER]
    # python-nvd3, which Airflow 2 needs, has no wheel.
    binary = [] if "2.11" in source.name else ["--only-binary", ":all:"]
    subprocess.run([*command, *binary, "--quiet"], cwd=LOCKS, check=True)


def main() -> int:
    """Compile all locks."""
    for version, platform in itertools.product(VERSIONS, PLATFORMS):
        if platform.python_minor in version.pythons:
            target = LOCKS / f"airflow-{version.full}-py{platform.python_minor}.txt"
            print(f"locking {target.name}", flush=True)
            compile_lock(LOCKS / f"airflow-{version.full}.in", target, platform.python)
    compile_lock(LOCKS / "uv.in", LOCKS / "uv.txt", next(iter(PLATFORMS)).python)
    return 0


if __name__ == "__main__":
    sys.exit(main())
