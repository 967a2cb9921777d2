"""Run what depends on ansible-core with the versions that the collection supports.

    python .config/cores.py [VERSION...]

Run by ``make cores``. Each version has an environment of its own in .cache/cores, with the locked tools and the release
of ``ansible`` that belongs to it. Every inventory is validated and every playbook parsed; the unit tests run with the
least version and the newest.
"""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache" / "cores"
LAB = runpy.run_path(str(ROOT / "molecule/shared/lab.py"))


@dataclass(frozen=True)
class Core:
    """A version of ansible-core, the release of ``ansible`` with it, and a Python that both support."""

    version: str
    ansible: str
    python: str
    unit_tests: bool


# Besides the locked one of the tools, which `make test` runs with. The least is also in meta/runtime.yml.
CORES = (
    Core("2.19.0", "12", "3.11", unit_tests=True),
    Core("2.20", "13", "3.12", unit_tests=False),
    Core("2.21", "14", "3.13", unit_tests=True),
)


def interpreter(version: str) -> str:
    """A Python ``version`` of this machine: in the path, or one of pyenv's. Raises SystemExit."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for candidate in (shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python3"))):
        # pyenv has a program of the name for every version, that of one which is not chosen fails.
        if candidate and subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode == 0:
            return str(candidate)
    raise SystemExit(f"Python {version}: found none; expected python{version} in the path, or a version of pyenv's.")


def environment(core: Core) -> Path:
    """The directory of programs of the virtual environment for ``core``, made where it is not there."""
    folder = CACHE / core.version
    ready = folder / "ready"
    if ready.exists():
        return folder / "bin"
    subprocess.run(["uv", "venv", "--quiet", "--clear", "--python", interpreter(core.python), folder], check=True)
    locked = re.findall(r"^([a-z0-9][\w.\[\]-]*==\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    wanted = [each for each in locked if not each.startswith(("ansible==", "ansible-core=="))]
    # Without a third number, its newest release.
    exact = core.version if core.version.count(".") == 2 else f"{core.version}.*"
    with tempfile.TemporaryDirectory() as lists:
        packages, overrides = Path(lists, "packages.txt"), Path(lists, "overrides.txt")
        packages.write_text("\n".join([*wanted, "ansible-core", f"ansible=={core.ansible}.*"]))
        # Releases of ansible want a newer patch release than the least that the collection supports.
        overrides.write_text(f"ansible-core=={exact}")
        install: list[str | Path] = ["uv", "pip", "install", "--quiet", "--python", folder / "bin/python"]
        install += ["--requirement", packages, "--overrides", overrides]
        subprocess.run(install, check=True, env=LAB["index_environment"]())
    ready.touch()
    return folder / "bin"


def passed(name: str, command: Sequence[str | Path], variables: dict[str, str]) -> bool:
    """Whether ``command`` ended well; prints what it said where it did not. What a later ansible-core
    will refuse is a failure too."""
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=variables, text=True, capture_output=True, check=False)
    good = done.returncode == 0 and "[DEPRECATION WARNING]" not in done.stderr
    print(f"{name}: {'good' if good else 'FAILED'}, {time.monotonic() - began:.0f} s", flush=True)
    if not good:
        print(done.stdout[-5000:], done.stderr[-5000:], sep="\n", flush=True)
    return good


def check(core: Core) -> bool:
    """Whether everything passes with ``core``."""
    programs = environment(core)
    variables = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    said = subprocess.run(
        [programs / "ansible", "--version"], env=variables, text=True, capture_output=True, check=True
    )
    print(f"== {said.stdout.splitlines()[0]}, Python {core.python}", flush=True)
    play = programs / "ansible-playbook"
    inventories = sorted(path for path in (ROOT / "inventories").iterdir() if path.is_dir())
    results = [
        passed(f"validate {path.name}", [play, "-i", path, ROOT / "playbooks/validate.yml"], variables)
        for path in inventories
    ]
    playbooks = [ROOT / "site.yml", *sorted((ROOT / "playbooks").glob("*.yml"))]
    syntax: list[str | Path] = [play, "-i", inventories[0], "--syntax-check", *playbooks]
    results.append(passed(f"syntax of {len(playbooks)} playbooks", syntax, variables))
    if core.unit_tests:
        tests: list[str | Path] = [programs / "pytest", "--numprocesses=auto", "--dist=loadscope", "tests/unit"]
        results.append(passed("unit tests", tests, variables))
    return all(results)


def main() -> int:
    """Check the versions of the command line, or all; 0 when all are good."""
    wanted = [core for core in CORES if not sys.argv[1:] or core.version in sys.argv[1:]]
    if len(wanted) != (len(sys.argv) - 1 or len(CORES)):
        raise SystemExit(f"found {' '.join(sys.argv[1:])}; expected some of {', '.join(c.version for c in CORES)}")
    # All of them, so that one run shows every difference.
    results = [check(core) for core in wanted]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
