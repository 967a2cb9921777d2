"""Run the stages of a longer job, and show at its end where the time went.

    stages.py begin                 forget the stages of an earlier job
    stages.py run NAME COMMAND...   run a command as a stage; its output is shown and kept in .cache/logs/NAME.log
    stages.py table                 show the stages of the job, and what their plays, Molecule's steps or tests took

Standard library only: it runs before the virtual environment exists.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

CACHE = Path(os.environ.get("FLIGHTDECK_CACHE") or Path(__file__).parents[2] / ".cache")
STAGES = CACHE / "stages.jsonl"
LOGS = CACHE / "logs"
# Parts that are shown: the others are in the log. Seconds.
SHORTEST = 2.0
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# A line that begins a part of a stage, with the part's name: a step of Molecule, or a play outside of Molecule.
STEP = re.compile(r"^INFO +\S+ (?:➜|>) (\w+): Executing")
PLAY = re.compile(r"^PLAY \[(.*)\]")
FAILURE = re.compile(r"(FAILED|ERROR) +\S*(molecule|tests)/|E   |fatal: |failed: \[|.*ERROR: ")
# Lines that are shown after one of these, because Ansible says there what went wrong.
FOLLOWING = 6


@dataclass
class Stage:
    """A command that was run: when it began since the epoch, how long it and its parts took (seconds), and how it
    ended."""

    name: str
    began: float
    seconds: float = 0.0
    code: int = 0
    parts: list[tuple[str, float]] = field(default_factory=list)


class Parts:
    """Finds the parts of a stage in the lines that its command prints."""

    def __init__(self) -> None:
        self.found: list[tuple[str, float]] = []
        self.name = ""
        self.began = 0.0
        self.steps = False

    def line(self, text: str, now: float) -> None:
        """Read a line that was printed at ``now``."""
        step, play = STEP.match(text), PLAY.match(text)
        if step:
            self.steps = True
            self.begin(step[1], now)
        elif play and not self.steps:
            self.begin(play[1], now)

    def begin(self, name: str, now: float) -> None:
        """End the part that runs, and begin another; with an empty name none."""
        if self.name:
            self.found.append((self.name, round(now - self.began, 1)))
        self.name, self.began = name, now


def run(name: str, command: list[str]) -> int:
    """Run ``command`` as the stage ``name`` and return its exit code."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{name.replace(' ', '_')}.log"
    # Its descriptors stay open for a make that shares its parent's jobs.
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "1"} if sys.stdout.isatty() else dict(os.environ)
    stage, parts = Stage(name, time.time()), Parts()
    # Of stages that run at once each line has the name.
    prefix = f"{name}: " if os.environ.get("FLIGHTDECK_PREFIX") else ""
    with (
        log.open("w", encoding="utf-8") as kept,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
            close_fds=False,
        ) as process,
    ):
        for line in process.stdout or ():
            print(f"{prefix}{line}", end="", flush=True)
            plain = COLOURS.sub("", line)
            kept.write(plain)
            parts.line(plain, time.time())
    parts.begin("", time.time())
    stage.code, stage.seconds, stage.parts = process.returncode, round(time.time() - stage.began, 1), parts.found
    with STAGES.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(asdict(stage)) + "\n")
    if stage.code:
        told = failures(log.read_text(encoding="utf-8").splitlines())
        print(
            f"\n{name} failed after {stage.seconds:.0f} s; from {os.path.relpath(log)}:\n", *told, sep="\n", flush=True
        )
    return stage.code


def failures(lines: list[str], most: int = 60) -> list[str]:
    """The ``most`` last lines that say what failed, with those that follow each."""
    shown = {number + more for number, line in enumerate(lines) if FAILURE.match(line) for more in range(FOLLOWING)}
    return [line for number, line in enumerate(lines) if number in shown][-most:]


def read() -> list[Stage]:
    """The stages since ``begin``."""
    lines = STAGES.read_text(encoding="utf-8").splitlines() if STAGES.exists() else []
    return [Stage(**json.loads(line)) for line in lines]


def table(stages: list[Stage]) -> str:
    """Where the time went, a line for each stage and longer part. Stages that ran at once are each counted whole."""
    if not stages:
        return ""
    whole = max(stage.began + stage.seconds for stage in stages) - min(stage.began for stage in stages)
    lines = ["Where the time went:"]
    for stage in sorted(stages, key=lambda stage: stage.began):
        lines.append(f"  {stage.seconds:6.0f} s  {stage.name}{' (failed)' if stage.code else ''}")
        lines += [f"  {seconds:10.0f} s  {name}" for name, seconds in stage.parts if seconds >= SHORTEST]
    return "\n".join([*lines, f"  {whole:6.0f} s  in all"])


def main() -> int:
    """Command line."""
    match sys.argv[1:]:
        case ["begin"]:
            CACHE.mkdir(exist_ok=True)
            STAGES.unlink(missing_ok=True)
        case ["run", name, *command] if command:
            return run(name, command)
        case ["table"]:
            print(table(read()))
        case _:
            print(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
