"""Look up known vulnerabilities of every package in every lock.

    python .config/audit.py

Run by ``make audit``. Ends with 1 when something is known, with 3 when nothing could be looked up: that is not the same
as nothing found.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCKS = [
    ROOT / "requirements.lock",
    ROOT / "requirements-docs.lock",
    *sorted((ROOT / "roles/airflow/files/locks").glob("*.txt")),
]
# PyPI's JSON interface, which few mirrors have, then the database that it is fed from.
SOURCES = ("pypi", "osv")


def audited(lock: Path, source: str) -> tuple[list[dict[str, Any]], str]:
    """What ``source`` knows of the packages in ``lock``, and why it could not be asked, or empty."""
    command = [
        str(Path(sys.executable).parent / "pip-audit"),
        "--requirement",
        str(lock),
        "--disable-pip",
        "--require-hashes",
    ]
    command += ["--vulnerability-service", source, "--format", "json", "--progress-spinner", "off", "--timeout", "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return [], (done.stderr.strip().splitlines() or ["no answer"])[-1]
    # A source that does not know a package says nothing against it, and pip-audit counts it among the good ones.
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    return (
        packages,
        f"{len(unknown)} of {len(packages)} packages are unknown to it, {unknown[0]} is the first" if unknown else "",
    )


def main() -> int:
    """Audit all locks with the first source that answers."""
    problems: list[str] = []
    for source in SOURCES:
        found: dict[str, set[str]] = {}
        for lock in LOCKS:
            packages, problem = audited(lock, source)
            if problem:
                problems.append(f"{source}, {lock.name}: {problem}")
                break
            for package in packages:
                for known in package.get("vulns", []):
                    fixed = ", ".join(known["fix_versions"]) or "no release"
                    line = f"{package['name']} {package['version']}: {known['id']}, fixed in {fixed}"
                    found.setdefault(line, set()).add(lock.name)
        else:
            for line, locks in sorted(found.items()):
                print(f"{line} ({', '.join(sorted(locks))})")
            print(f"{len(found)} known vulnerabilities in {len(LOCKS)} locks, according to {source}")
            return 1 if found else 0
    print("No source of advisories could be asked, so nothing is known, good or bad:", *problems, sep="\n  ")
    print("Run this where the index of packages serves advisories, or the OSV database can be reached.")
    return 3


if __name__ == "__main__":
    sys.exit(main())
