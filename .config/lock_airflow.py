"""Compile the hash locks of every supported (Airflow, Python): one file each under roles/airflow/files/locks.

Run by ``make lock``. The index, proxy and CA bundle are those of the machine; none of them is written into a lock.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LOCKS = Path(__file__).parents[1] / "roles" / "airflow" / "files" / "locks"
# Nothing newer than this day gets in, so that compiling again gives the same lock.
EXCLUDE_NEWER = "2026-10-15"
# Debian 12 has Python 3.11.2, Debian 13 has 3.13.5.
TARGETS = (("3.3.2", "3.11.2"), ("3.3.2", "3.13.5"), ("2.11.2", "3.11.2"))


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
    for version, python in TARGETS:
        minor = ".".join(python.split(".")[:2])
        target = LOCKS / f"airflow-{version}-py{minor}.txt"
        print(f"locking {target.name}", flush=True)
        compile_lock(LOCKS / f"airflow-{version}.in", target, python)
    compile_lock(LOCKS / "uv.in", LOCKS / "uv.txt", "3.11.2")
    return 0


if __name__ == "__main__":
    sys.exit(main())
