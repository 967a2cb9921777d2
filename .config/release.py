"""Make a release of the collection in this checkout: changelog, version, commit, tag, archive, checksums, SBOMs.

    python .config/release.py VERSION [--key KEY] [--rehearsal]

Run by ``make release``. It pushes and publishes nothing. A run that was interrupted before the commit is repeated after
``git stash --include-untracked``; one that got as far as the commit or the tag goes on there. ``--key`` names a key of
gpg's that signs the tag and the checksums. ``--rehearsal`` accepts that the addresses in galaxy.yml are placeholders.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from packaging.version import InvalidVersion, Version

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
GALAXY = ROOT / "galaxy.yml"
CHANGELOG = ROOT / "changelogs/changelog.yaml"
FRAGMENTS = ROOT / "changelogs/fragments"
ADDRESSES = ("repository", "documentation", "homepage", "issues")


def git(*arguments: str) -> str:
    """What git says in the checkout. Raises CalledProcessError."""
    return subprocess.run(
        ["git", "-C", str(ROOT), *arguments], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def released() -> dict[str, Any]:
    """The releases of the changelog by version."""
    return dict(yaml.safe_load(CHANGELOG.read_text(encoding="utf-8"))["releases"]) if CHANGELOG.exists() else {}


def problems(version: str, rehearsal: bool) -> list[str]:
    """Why there can be no release ``version``; empty when nothing speaks against it."""
    found = []
    earlier = [Version(each) for each in released() if each != version]
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}(-[a-z]+\.\d+)?", version):
        return [f"VERSION: found {version or 'nothing'}; expected three numbers, such as 1.2.3 or 1.0.0-rc.1."]
    try:
        if earlier and Version(version) <= max(earlier):
            found.append(f"VERSION: found {version}; expected one after {max(earlier)}, the last release.")
    except InvalidVersion as error:
        found.append(str(error))
    if git("status", "--porcelain"):
        found.append("the checkout: found changes; expected none. Commit them, or git stash --include-untracked.")
    tagged = git("tag", "--list", version) and git("rev-list", "-n1", version)
    if tagged and tagged != git("rev-parse", "HEAD"):
        found.append(f"tag {version}: found on another commit; expected none. Releases do not change.")
    if version not in released() and not any(FRAGMENTS.glob("*.yml")):
        found.append("changelogs/fragments: found nothing; expected what has changed since the last release.")
    galaxy = yaml.safe_load(GALAXY.read_text(encoding="utf-8"))
    unset = [name for name in ADDRESSES if "example.org" in galaxy[name]]
    if unset and not rehearsal:
        found.append(f"galaxy.yml: found placeholders ({', '.join(unset)}); expected the addresses of the project.")
    return found


def prepare(version: str) -> None:
    """Commit the version and its changelog."""
    text = re.sub(r"^version: .*$", f"version: {version}", GALAXY.read_text(encoding="utf-8"), flags=re.MULTILINE)
    GALAXY.write_text(text, encoding="utf-8")
    subprocess.run([BIN / "antsibull-changelog", "release", "--version", version], cwd=ROOT, check=True)
    git("add", "--all", "galaxy.yml", "changelogs", "CHANGELOG.rst")
    git("commit", "--quiet", "--message", f"release: {version}")


def main() -> int:
    """Make the release; 1 with all reasons against it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("version")
    parser.add_argument("--key", default="")
    parser.add_argument("--rehearsal", action="store_true")
    given = parser.parse_args()
    found = problems(given.version, given.rehearsal)
    if found:
        print("No release:", *found, sep="\n  ", file=sys.stderr)
        return 1
    if given.version not in released():
        prepare(given.version)
    if not git("tag", "--list", given.version):
        signed = ("--local-user", given.key) if given.key else ("--annotate",)
        git("tag", *signed, "--message", f"flightdeck.airflow {given.version}", given.version)
    target = ROOT / "artefacts" / given.version
    subprocess.run([sys.executable, ROOT / ".config/build.py", target], check=True)
    if given.key:
        for sums in target.glob("*.sha256"):
            sign = ["gpg", "--yes", "--local-user", given.key, "--armor", "--detach-sign", sums]
            subprocess.run(sign, check=True)
    archive = next(target.glob("*.tar.gz"))
    print(f"\nRelease {given.version} is in {target.relative_to(ROOT)}. To publish it:\n")
    print(f"  git push origin HEAD {given.version}\n  ansible-galaxy collection publish {archive.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
