"""Build an Airflow release (a virtual environment) and pack it.

    build_release.py DIRECTORY VERSION

Reads what is beside itself: lock.txt, uv.txt, extra.txt, wheels.txt with the directory wheels, lock.in and
constraints.txt, and environment.json, which it removes. When lock.in has text, the lock is made of it first: it begins
with what lock.txt pins. A directory without release.json, which is written last, is incomplete and built again. Leaves
DIRECTORY.tar.zst. Into the release are written its lock (lock.txt), what it knows of airflow.cfg (options.json) and
what is in it (sbom.cdx.json, CycloneDX).

Ends with 3 when the packages do not fit together, and prints why.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

NO_FIT = 3
# What the tools print around their reason.
NOISE = re.compile(r"^(Using |Resolved |Prepared |Installed |Downloaded |Bytecode |Looking in |Building |   Building )")

# Prints the schema version that each version table holds after a migration by this release.
HEADS_SCRIPT = """
import json
from airflow.utils.db import _get_alembic_config
from alembic.script import ScriptDirectory
heads = {"alembic_version": ScriptDirectory.from_config(_get_alembic_config()).get_current_head()}
# On Airflow 2 the auth manager's tables belong to the one schema.
if MAJOR >= 3:
    from airflow import settings
    from airflow.providers.fab.auth_manager.models.db import FABDBManager
    manager = FABDBManager(settings.Session())
    heads[manager.version_table_name] = manager.get_script_object().get_current_head()
print("HEADS=" + json.dumps(heads))
"""

# Prints what is really installed: name, version, and the licence as far as the package says it in one expression.
INSTALLED_SCRIPT = """
import importlib.metadata, json
packages = [(each.version, each.metadata) for each in importlib.metadata.distributions()]
print(json.dumps([(about["Name"], version, about.get("License-Expression") or "") for version, about in packages]))
"""


def component(name: str, version: str, licence: str = "", hashes: Iterable[str] = ()) -> dict[str, Any]:
    """A Python package as a CycloneDX component. ``hashes`` are the SHA-256 sums of its files that a lock admits."""
    purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}"
    found: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if hashes:
        found["hashes"] = [{"alg": "SHA-256", "content": value} for value in sorted(hashes)]
    if licence:
        found["licenses"] = [{"expression": licence}]
    return found


def bom(name: str, version: str, components: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A CycloneDX document about the application ``name``: the same for the same content, so without a time."""
    listed = sorted({entry["bom-ref"]: entry for entry in components}.values(), key=lambda entry: str(entry["bom-ref"]))
    subject = {"type": "application", "bom-ref": f"{name}@{version}", "name": name, "version": version}
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([subject, listed], sort_keys=True))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": subject},
        "components": listed,
        "dependencies": [{"ref": subject["bom-ref"], "dependsOn": [entry["bom-ref"] for entry in listed]}],
    }


def run(*command: str | Path, **options: str) -> None:
    """Run a command with its output visible. Raises CalledProcessError."""
    subprocess.run([str(part) for part in command], check=True, env={**os.environ, **options})


def choose(*command: str | Path) -> None:
    """Run a command that chooses packages, and end with its own reason when there are none. Its output is that of a
    failure only."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line.rstrip() for line in (done.stdout + done.stderr).splitlines()]
        print("\n".join(line for line in lines if line and not NOISE.match(line)), file=sys.stderr)
        sys.exit(NO_FIT)


def ask(python: Path, what: str, *command: str | Path) -> dict[str, Any]:
    """What the release prints after ``what``, by its own code, with a throw-away home."""
    with tempfile.TemporaryDirectory() as home:
        options = {"AIRFLOW_HOME": home, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db"}
        done = subprocess.run(
            [python, *command], capture_output=True, text=True, env={**os.environ, **options}, check=False
        )
    lines = [line for line in done.stdout.splitlines() if line.startswith(f"{what}=")]
    if done.returncode or not lines:
        sys.exit(f"{what} of the release cannot be read:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(lines[-1].removeprefix(f"{what}="))
    return found


def text_of(name: str) -> str:
    """Text of the file ``name`` beside this one, stripped; empty without it."""
    path = HERE / name
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def make_lock(uv: Path, target: Path) -> None:
    """Write the lock of lock.in to ``target``: with the pins of lock.txt, except for what cannot have them."""
    shutil.copyfile(HERE / "lock.txt", target)
    command: list[str | Path] = [
        uv,
        "pip",
        "compile",
        HERE / "lock.in",
        "--output-file",
        target,
        "--python",
        "/usr/bin/python3",
    ]
    command += ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--quiet"]
    if constraints := text_of("constraints.txt"):
        # One URL, or the constraints themselves.
        remote = re.fullmatch(r"https?://\S+", constraints)
        command += ["--constraint", constraints if remote else HERE / "constraints.txt"]
    choose(*command)


def own_wheels(pip: Path) -> list[Path]:
    """Those of the wheels that fit this Python: one for each requirement in wheels.txt, which names their files."""
    chosen = HERE / "tmp" / "wheels"
    listed = [line.split() for line in text_of("wheels.txt").splitlines()]
    if listed:
        # The directory may have more of a former run.
        offered = HERE / "tmp" / "offered"
        offered.mkdir()
        for _requirement, name in listed:
            shutil.copyfile(HERE / "wheels" / name, offered / name)
        only = ("--no-index", "--no-deps", "--find-links", offered, "--dest", chosen)
        choose(pip, "download", "--quiet", "--disable-pip-version-check", *only, *{line[0] for line in listed})
    return sorted(chosen.glob("*.whl"))


def build(target: Path, version: str) -> None:
    """Install the lock and the extra packages into ``target``, byte-compiled: its owner is root, so no process
    could do that later."""
    tools = HERE / "tools"
    run(sys.executable, "-m", "venv", "--clear", tools)
    pip = tools / "bin" / "pip"
    choose(
        pip,
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        "--requirement",
        HERE / "uv.txt",
    )
    uv = tools / "bin" / "uv"
    run(uv, "venv", "--quiet", "--clear", "--no-project", "--python", "/usr/bin/python3", target)
    python = target / "bin" / "python"
    lock = target / "lock.txt"
    if text_of("lock.in"):
        make_lock(uv, lock)
    else:
        shutil.copyfile(HERE / "lock.txt", lock)
    install = (uv, "pip", "install", "--python", python, "--compile-bytecode", "--link-mode", "copy")
    choose(*install, "--require-hashes", "--requirement", lock)
    wheels = own_wheels(pip)
    if wheels or text_of("extra.txt"):
        choose(*install, "--constraint", lock, "--requirement", HERE / "extra.txt", *wheels)
    choose(uv, "pip", "check", "--python", python)
    installed = json.loads(
        subprocess.run([python, "-c", INSTALLED_SCRIPT], check=True, capture_output=True, text=True).stdout
    )
    inventory = bom("apache-airflow", version, (component(*package) for package in installed))
    (target / "sbom.cdx.json").write_text(json.dumps(inventory, indent=1) + "\n", encoding="utf-8")
    known = ask(python, "FOUND", HERE / "airflow_options.py")
    (target / "options.json").write_text(json.dumps(known, sort_keys=True) + "\n", encoding="utf-8")
    heads = ask(python, "HEADS", "-c", HEADS_SCRIPT.replace("MAJOR", version.split(".", maxsplit=1)[0]))
    document = {"version": version, "python": ".".join(map(str, sys.version_info[:3])), "heads": heads}
    (target / "release.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def set_modes(target: Path) -> None:
    """Let every account read ``target`` and its owner alone write it.

    The umask is not enough: uv copies the modes of its cache, which an earlier run may have filled under another umask.
    """
    run("chmod", "--recursive", "u=rwX,go=rX", target)


def pack(target: Path, archive: Path) -> None:
    """Leave ``archive`` of the directory ``target``, for root alone. Every host gets the modes that the archive has."""
    set_modes(target)
    half = archive.with_suffix(".part")
    half.unlink(missing_ok=True)
    # tar keeps the mode of a file that is there.
    half.touch(mode=0o600)
    run(
        "tar",
        "--create",
        "--use-compress-program",
        "zstd -T0 -3",
        "--file",
        half,
        "--directory",
        target.parent,
        target.name,
    )
    half.rename(archive)


def take_environment() -> None:
    """Where packages come from.

    It may hold a login, which must neither stand in a command line nor stay on the disk.
    """
    file = HERE / "environment.json"
    os.environ.update(json.loads(file.read_text(encoding="utf-8")))
    file.unlink()


def main() -> None:
    """Command line."""
    # What the tools write here is as closed or open on every host, whatever the umask of the account that became root
    # is.
    os.umask(0o022)
    take_environment()
    target, version = Path(sys.argv[1]), sys.argv[2]
    archive = Path(f"{target}.tar.zst")
    # What a play has begun that was killed goes on, and the next play comes here as well.
    with (HERE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if archive.exists():
            return
        # A package that is built may run programs of its own there, and /tmp is often mounted with noexec.
        scratch = HERE / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)
        if not (target / "release.json").exists():
            shutil.rmtree(target, ignore_errors=True)
            build(target, version)
        pack(target, archive)
        shutil.rmtree(scratch)
        shutil.rmtree(HERE / "wheels", ignore_errors=True)


if __name__ == "__main__":
    main()
