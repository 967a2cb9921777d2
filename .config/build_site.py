"""Build the documentation as a site: the pages of the repository, and the reference of modules, roles and filters.

    python .config/build_site.py DIRECTORY

Run by ``make docs-site``. A link or an anchor that leads nowhere, a page that no menu has, or documentation that
cannot be read ends it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SITE = ROOT / ".config" / "site"
PAGES = ("*.md", "CHANGELOG.rst", "LICENSE", "LICENSES/*", "docs/**/*", "roles/*/README.md")
NAME = "flightdeck.airflow"
CONTENTS = re.compile(r"^\.\. contents::\n(?: +:.*\n)*", re.MULTILINE)


def run(*command: str | Path) -> None:
    """Run one of the tools beside this Python, which call others of them. Raises CalledProcessError."""
    tools = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
        "LC_ALL": "C.UTF-8",
    }
    program, *arguments = map(str, command)
    subprocess.run([str(tools / program), *arguments], check=True, env=environment, cwd=ROOT)


def stage(target: Path) -> None:
    """Copy the pages as they lie in the repository, so that links between them stay what they are."""
    for pattern in PAGES:
        for path in sorted(ROOT.glob(pattern)):
            if path.is_file():
                copy = target / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
    shutil.copytree(SITE, target, dirs_exist_ok=True)
    roles = sorted(path.parent.name for path in (target / "roles").glob("*/README.md"))
    # What a role does, its page of variables and entry points is in the reference.
    menu = "\n".join(f"../roles/{role}/README" for role in roles)
    (target / "docs" / "roles.md").write_text(
        f"# Roles\n\nWhat each role does, and what its service reads.\n\n```{{toctree}}\n:maxdepth: 1\n\n{menu}\n```\n",
        encoding="utf-8",
    )


def main() -> None:
    """Build into the directory of the command line."""
    target = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        source.mkdir()
        stage(source)
        reference = source / "reference"
        reference.mkdir()
        run(
            "antsibull-docs",
            "collection",
            "--use-current",
            "--squash-hierarchy",
            "--fail-on-error",
            "--dest-dir",
            reference,
            NAME,
        )
        # The theme has a table of contents of its own, and prints an error in place of another one.
        for page in reference.glob("*.rst"):
            page.write_text(CONTENTS.sub("", page.read_text(encoding="utf-8")), encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        run("sphinx-build", "--builder", "html", "--fail-on-warning", "--keep-going", "--quiet", source, target)
    print(target / "index.html")


if __name__ == "__main__":
    main()
