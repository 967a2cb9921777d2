"""Check the collection as the community and its index do: ansible-test, antsibull-docs, galaxy-importer.

    python .config/sanity.py

Run by ``make sanity``. ansible-test wants a folder that is named like a collection, so a copy of the work tree is
checked, in .cache/sanity. What is meant to be as it is stands in tests/sanity/ignore-*.txt, each line with its reason.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from ansible_test._internal.python_requirements import get_venv_packages

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache" / "sanity"
COPY = CACHE / "ansible_collections" / "flightdeck" / "airflow"
BIN = Path(sys.executable).parent
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
# In no archive; `make lint` and `make unit` check these with the tools of the repository.
LEFT_OUT = (
    ".ci/",
    ".collections/",
    ".config/",
    "benchmarks/",
    "molecule/",
    "tests/faults/",
    "tests/fuzz/",
    "tests/unit/",
)
# ansible-test installs pip by a program that it downloads, unless it has one already. Python brings a pip of its own.
GET_PIP = "import ensurepip\n\nensurepip.bootstrap()\n"


def copy() -> None:
    """Lay the files that git knows, and those that it would take, into COPY."""
    shutil.rmtree(COPY, ignore_errors=True)
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        source = ROOT / name
        if not name.startswith(LEFT_OUT) and source.is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, COPY / name, follow_symlinks=False)
    # ansible-test asks git for the files, and would ask the repository around the copy, which ignores it.
    subprocess.run(["git", "init", "--quiet", COPY], check=True)


def environment() -> dict[str, str]:
    """Variables for the checkers, with a home of their own: ansible-test keeps environments and files there."""
    home = CACHE / "home"
    version = get_venv_packages(SimpleNamespace(version=PYTHON))["pip"].replace(".", "_")
    program = home / f".ansible/test/cache/get_pip_{version}.py"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(GET_PIP, encoding="utf-8")
    site = next(path for path in sys.path if Path(path, "ansible_collections").is_dir())
    found = {**os.environ, "HOME": str(home), "ANSIBLE_COLLECTIONS_PATH": f"{CACHE}:{site}", "NO_COLOR": "1"}
    found.pop("ANSIBLE_CONFIG", None)
    found["PATH"] = f"{BIN}:{found['PATH']}"
    # `make lint` runs ansible-lint, over more files.
    settings = CACHE / "galaxy-importer.cfg"
    settings.write_text("[galaxy-importer]\nrun_ansible_lint = false\nrun_ansible_lint_collection = false\n")
    found["GALAXY_IMPORTER_CONFIG"] = str(settings)
    mine = Path.home() / ".config/pip/pip.conf"
    if mine.exists():
        found.setdefault("PIP_CONFIG_FILE", str(mine))
    return found


def passed(command: list[str], variables: dict[str, str], bad: str = "") -> bool:
    """Whether ``command`` ended well and printed no line that matches ``bad``; prints what it printed and how long it
    took."""
    print(f"== {Path(command[0]).name} {' '.join(command[1:])}", flush=True)
    began = time.monotonic()
    done = subprocess.run(command, cwd=COPY, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(done.stdout)
    good = done.returncode == 0 and not (bad and re.search(bad, done.stdout, re.MULTILINE))
    print(f"== {'good' if good else 'FAILED'} after {time.monotonic() - began:.0f} s", flush=True)
    return good


def main() -> int:
    """Run all checkers; 0 when all pass."""
    copy()
    variables = environment()
    archives = CACHE / "archive"
    shutil.rmtree(archives, ignore_errors=True)
    build = [str(BIN / "ansible-galaxy"), "collection", "build", "--output-path", str(archives)]
    subprocess.run(build, cwd=COPY, env=variables, check=True, stdout=subprocess.DEVNULL)
    archive = next(archives.glob("*.tar.gz"))
    test = [str(BIN / "ansible-test"), "sanity", "--python", PYTHON, "--color", "no"]
    results = [
        passed(test, variables, "All targets skipped"),
        passed([str(BIN / "antsibull-docs"), "lint-collection-docs", "--plugin-docs", "."], variables),
        # It ends with 0 whatever it finds.
        passed([sys.executable, "-m", "galaxy_importer.main", str(archive)], variables, r"^(ERROR|WARNING)\b"),
    ]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
