"""Build the documentation as a site: the pages of the repository, and the reference of modules, roles and filters.

    python .config/build_site.py DIRECTORY

Run by ``make docs-site``. The program that draws the diagrams becomes a part of the site, which asks no other server. A
link or an anchor that leads nowhere, a page that no menu has, or documentation that cannot be read ends it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SITE = ROOT / ".config" / "site"
PAGES = ("*.md", "CHANGELOG.rst", "LICENSE", "LICENSES/*", "docs/**/*", "roles/*/README.md")
NAME = "flightdeck.airflow"
# Mermaid, as npm has it, by its checksum.
MERMAID = "mermaid@11.17.2"
MERMAID_SHA512 = "V6K3C8EBdEsPFZXSKMJe6ppQOENxuHARr9GvHX4hh47lAbhMRD9qf4oEK7LoaRQxULMa80/qt5gHO73aCleBBg=="
# Its module, and the parts that it loads when a page has such a diagram.
MODULE = re.compile(r"package/dist/(mermaid\.esm\.min\.mjs|chunks/mermaid\.esm\.min/[\w.-]+\.mjs)")
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


def mermaid(target: Path) -> None:
    """Put Mermaid into ``target``. Raises CalledProcessError, and SystemExit for another file than the known one."""
    cached = ROOT / ".cache" / f"{MERMAID.replace('@', '-')}.tgz"
    if not cached.exists():
        cached.parent.mkdir(exist_ok=True)
        pack: list[str | Path] = ["npm", "pack", "--silent", "--pack-destination", cached.parent, MERMAID]
        subprocess.run(pack, check=True, stdout=subprocess.DEVNULL, cwd=cached.parent)
    found = base64.b64encode(hashlib.sha512(cached.read_bytes()).digest()).decode()
    if found != MERMAID_SHA512:
        raise SystemExit(f"{cached}: found sha512-{found}; expected sha512-{MERMAID_SHA512}. Remove it and run again.")
    with tarfile.open(cached) as archive:
        for member in archive:
            if (name := MODULE.fullmatch(member.name)) and (stream := archive.extractfile(member)):
                path = target / name[1]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(stream.read())


def main() -> None:
    """Build into the directory of the command line."""
    target = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        source.mkdir()
        stage(source)
        mermaid(source / "_static" / "mermaid")
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
