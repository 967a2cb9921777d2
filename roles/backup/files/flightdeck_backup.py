#!/usr/bin/python3
"""Makes a backup of the metastore with pgBackRest or flightdeck-dump, or checks the repository, and records what came
of it.

Runs on the repository host as postgres: by timers, and for backup.yml and restore.yml. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

STATE = Path("/var/lib/flightdeck-backup")
# What the roles know of the cluster, by the program that makes backups, and what backup.yml collected from its hosts.
MANIFESTS = {
    "pgbackrest": Path("/etc/pgbackrest/flightdeck.json"),
    "flightdeck-dump": Path("/etc/flightdeck-backup/flightdeck.json"),
}
COLLECTED = STATE / "collected.json"
# Of pgBackRest, when no follower can be read.
NO_FOLLOWER = "unable to find standby"
# Lines of its output that are shown.
SHOWN = 8


def run(*command: str) -> tuple[int, str]:
    """Exit code and output of a command, which is passed on to the journal line by line."""
    lines = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line)
    return process.returncode, "".join(lines)


def reason(output: str) -> str:
    """What pgBackRest says was wrong."""
    lines = [" ".join(line.split()) for line in output.splitlines()]
    wrong = [line for line in lines if line.startswith(("ERROR:", "HINT:", "WARN:"))] or lines
    return "; ".join(wrong[-SHOWN:])


def manifest(program: str) -> str:
    """What the backup is to say of the cluster, as JSON."""
    known: dict[str, Any] = {}
    for path in (MANIFESTS[Path(program).name], COLLECTED):
        if path.exists():
            known.update(json.loads(path.read_text(encoding="utf-8")))
    return json.dumps(known, sort_keys=True, separators=(",", ":"))


def newest(program: Sequence[str]) -> dict[str, Any]:
    """The newest backup as pgBackRest lists it; empty for none."""
    done = subprocess.run(
        [*program, "--output=json", "--log-level-console=off", "info"],
        capture_output=True,
        text=True,
        check=True,
    )
    backups = json.loads(done.stdout)[0].get("backup") or [{}]
    return dict(backups[-1])


def record(name: str, found: dict[str, Any]) -> None:
    """Write what came of a run for status.yml, at once or not at all."""
    path = STATE / f"{name}.json"
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps(found, sort_keys=True) + "\n", encoding="utf-8")
    scratch.chmod(0o644)
    scratch.replace(path)


def backup(program: Sequence[str], kind: str, followers: bool) -> int:
    """Make a backup of the type ``kind``, from a follower where there is one."""
    begin = time.time()
    command = [*program, f"--type={kind}", f"--annotation=flightdeck={manifest(program[0])}"]
    code, output = run(*command, *(["--backup-standby"] if followers else []), "backup")
    if code and followers and NO_FOLLOWER in output:
        code, output = run(*command, "backup")
    result = {"type": kind, "begin": int(begin), "seconds": round(time.time() - begin), "problem": ""}
    if code:
        result["problem"] = reason(output)
    else:
        made = newest(program)
        result |= {
            "label": made["label"],
            "size": made["info"]["size"],
            "added": made["info"]["repository"]["delta"],
            "type": made["type"],
        }
    record("backup", result)
    return code


def verify(program: Sequence[str]) -> int:
    """Read every file of the repository and compare its checksum."""
    begin = time.time()
    code, output = run(*program, "--log-level-console=info", "--output=text", "verify")
    # It ends with 0 whatever it finds.
    wrong = [" ".join(line.split()) for line in output.splitlines() if is_damage(line)]
    damaged = bool(code) or "status: error" in output
    result = {"begin": int(begin), "seconds": round(time.time() - begin), "problem": ""}
    if damaged:
        result["problem"] = "; ".join(wrong[:SHOWN]) or reason(output)
    record("verify", result)
    return int(damaged)


def is_damage(line: str) -> bool:
    """Whether ``line`` of ``pgbackrest verify`` names a file that is not what it should be."""
    words = ("file missing", "invalid checksum", "invalid size", "invalid result", "ERROR:")
    return any(word in line for word in words)


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--followers", action="store_true", help="read the data from a follower where one runs")
    parser.add_argument("action", choices=["full", "diff", "incr", "verify"])
    parser.add_argument("program", nargs="+", help="pgBackRest or flightdeck-dump, with what it always gets, after --")
    arguments = parser.parse_args()
    os.umask(0o027)
    if arguments.action == "verify":
        return verify(arguments.program)
    return backup(arguments.program, arguments.action, arguments.followers)


if __name__ == "__main__":
    sys.exit(main())
