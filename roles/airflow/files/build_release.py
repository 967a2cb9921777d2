"""Build an Airflow release (a virtual environment) and pack it.

    build_release.py DIRECTORY VERSION

Reads lock.txt, uv.txt, extra.txt and environment.json beside itself, and removes the last of these. A directory without
release.json, which is written last, is incomplete and built again. Leaves DIRECTORY.tar.zst. What is in the release is
written into it as sbom.cdx.json (CycloneDX).
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


def heads(python: Path, version: str) -> dict[str, str]:
    """Schema versions of the release, by its own code, with a throw-away home."""
    with tempfile.TemporaryDirectory() as home:
        script = HEADS_SCRIPT.replace("MAJOR", version.split(".", maxsplit=1)[0])
        options = {"AIRFLOW_HOME": home, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db"}
        done = subprocess.run(
            [python, "-c", script], capture_output=True, text=True, env={**os.environ, **options}, check=False
        )
    lines = [line for line in done.stdout.splitlines() if line.startswith("HEADS=")]
    if done.returncode or not lines:
        sys.exit(f"the schema version of the release cannot be read:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    found: dict[str, str] = json.loads(lines[-1].removeprefix("HEADS="))
    return found


def build(target: Path, version: str) -> None:
    """Install the lock and the extra packages into ``target``, byte-compiled: its owner is root, so no process
    could do that later."""
    tools = HERE / "tools"
    run(sys.executable, "-m", "venv", "--clear", tools)
    run(
        tools / "bin" / "pip",
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
    install = (uv, "pip", "install", "--python", python, "--compile-bytecode", "--link-mode", "copy")
    run(*install, "--require-hashes", "--requirement", HERE / "lock.txt")
    if (HERE / "extra.txt").read_text(encoding="utf-8").strip():
        run(*install, "--constraint", HERE / "lock.txt", "--requirement", HERE / "extra.txt")
    run(uv, "pip", "check", "--python", python)
    installed = json.loads(
        subprocess.run([python, "-c", INSTALLED_SCRIPT], check=True, capture_output=True, text=True).stdout
    )
    inventory = bom("apache-airflow", version, (component(*package) for package in installed))
    (target / "sbom.cdx.json").write_text(json.dumps(inventory, indent=1) + "\n", encoding="utf-8")
    document = {"version": version, "python": ".".join(map(str, sys.version_info[:3])), "heads": heads(python, version)}
    (target / "release.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def pack(target: Path, archive: Path) -> None:
    """Leave ``archive`` of the directory ``target``, for root alone."""
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
    # Others run what is built, whatever the account that became root is used to.
    os.umask(0o022)
    take_environment()
    target, version = Path(sys.argv[1]), sys.argv[2]
    archive = Path(f"{target}.tar.zst")
    # What a play has begun that was killed goes on, and the next play comes here as well.
    with (HERE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if archive.exists():
            return
        if not (target / "release.json").exists():
            shutil.rmtree(target, ignore_errors=True)
            build(target, version)
        pack(target, archive)


if __name__ == "__main__":
    main()
