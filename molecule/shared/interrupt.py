"""Kill a run of Ansible, with all that it started here. As a program, interrupt.py TIMES COMMAND... kills so many
runs of a command, each after a random time."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

# A whole deployment of scenario `single` takes about 70 s; each attempt may get further than the one before.
LONGEST_SECONDS = 45
# Ansible's workers are in sessions of their own, but all that a run starts here has its environment.
MARK = "FLIGHTDECK_RUN"


def _processes(mark: str) -> Iterator[int]:
    """The processes of this machine that have a mark in their environment."""
    for path in Path("/proc").glob("[0-9]*"):
        # One that has ended, or that is another user's.
        with contextlib.suppress(OSError):
            if f"{MARK}={mark}".encode() in (path / "environ").read_bytes().split(b"\0"):
                yield int(path.name)


class Run(subprocess.Popen[str]):
    """A command that can be killed: its output and errors are one text stream, ``environment`` is added to ours."""

    def __init__(self, command: Sequence[str | Path], environment: dict[str, str] | None = None) -> None:
        self._mark = uuid.uuid4().hex
        super().__init__(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **(environment or {}), MARK: self._mark},
        )

    def kill(self) -> None:
        """Kill it and what it started; when this returns, none of it runs on this machine any more."""
        while found := list(_processes(self._mark)):
            for process in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            # A zombie has no environment, so that one that only waits for its parent does not count.
            time.sleep(0.01)


def kill_after(seconds: float, command: Sequence[str]) -> str:
    """Run ``command`` for so many seconds, and say what it was doing when it was killed."""
    with Run(command) as run:
        timer = threading.Timer(seconds, run.kill)
        timer.start()
        output, _ = run.communicate()
        timer.cancel()
    tasks = [line for line in output.splitlines() if line.startswith("TASK")]
    return f"killed after {seconds:.1f} s in: {tasks[-1].strip('* ') if tasks else 'the start'}"


def kill_runs(command: Sequence[str], least: float, most: float, times: int = 5) -> None:
    """Run ``command`` so many times, each killed after ``least`` to ``most`` seconds, and print what it was doing."""
    for _attempt in range(times):
        print(kill_after(random.uniform(least, most), command))


def main() -> None:
    """Command line."""
    kill_runs(sys.argv[2:], 4, LONGEST_SECONDS, times=int(sys.argv[1]))


if __name__ == "__main__":
    main()
