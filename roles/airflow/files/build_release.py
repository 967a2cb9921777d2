"""Build an Airflow release (a virtual environment) and pack it.

    build_release.py DIRECTORY VERSION

Reads lock.txt, uv.txt and extra.txt beside itself. A directory without release.json, which is written last, is a half release
and made anew. Leaves DIRECTORY.tar.zst.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

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


def run(*command: str | Path, **options: str) -> None:
    """Run a command with its output visible. Raises CalledProcessError."""
    subprocess.run([str(part) for part in command], check=True, env={**os.environ, **options})


def heads(python: Path, version: str) -> dict[str, str]:
    """Schema versions of the release, by its own code, with a throw-away home."""
    with tempfile.TemporaryDirectory() as home:
        script = HEADS_SCRIPT.replace("MAJOR", version.split(".", maxsplit=1)[0])
        options = {"AIRFLOW_HOME": home, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db"}
        done = subprocess.run([python, "-c", script], capture_output=True, text=True, env={**os.environ, **options}, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("HEADS=")]
    if done.returncode or not lines:
        sys.exit(f"the schema version of the release cannot be read:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    found: dict[str, str] = json.loads(lines[-1].removeprefix("HEADS="))
    return found


def build(target: Path, version: str) -> None:
    """Install the lock and the extra packages into ``target``, byte-compiled: its owner is root, so no process could do that later."""
    tools = HERE / "tools"
    run(sys.executable, "-m", "venv", "--clear", tools)
    run(tools / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--requirement", HERE / "uv.txt")
    uv = tools / "bin" / "uv"
    run(uv, "venv", "--quiet", "--clear", "--no-project", "--python", "/usr/bin/python3", target)
    python = target / "bin" / "python"
    install = (uv, "pip", "install", "--python", python, "--compile-bytecode", "--link-mode", "copy")
    run(*install, "--require-hashes", "--requirement", HERE / "lock.txt")
    if (HERE / "extra.txt").read_text(encoding="utf-8").strip():
        run(*install, "--constraint", HERE / "lock.txt", "--requirement", HERE / "extra.txt")
    run(uv, "pip", "check", "--python", python)
    document = {"version": version, "python": ".".join(map(str, sys.version_info[:3])), "heads": heads(python, version)}
    (target / "release.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Command line."""
    target, version = Path(sys.argv[1]), sys.argv[2]
    if not (target / "release.json").exists():
        shutil.rmtree(target, ignore_errors=True)
        build(target, version)
    archive = Path(f"{target}.tar.zst")
    half = archive.with_suffix(".part")
    run("tar", "--create", "--use-compress-program", "zstd -T0 -3", "--file", half, "--directory", target.parent, target.name)
    half.rename(archive)


if __name__ == "__main__":
    main()
