"""Kill a run of Ansible, with everything that it started, after a time. As a program, interrupt.py TIMES COMMAND...
kills so many runs of a command, each after a random time."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence

# A whole deployment of scenario `single` takes about 70 s; each attempt may get further than the one before.
LONGEST_SECONDS = 45


def kill_after(seconds: float, command: Sequence[str]) -> str:
    """Run ``command`` for so many seconds, and say what it was doing when it was killed."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as run:
        try:
            output, _ = run.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            output, _ = run.communicate()
    tasks = [line for line in output.splitlines() if line.startswith("TASK")]
    return f"killed after {seconds:.1f} s in: {tasks[-1].strip('* ') if tasks else 'the start'}"


def main() -> None:
    """Command line."""
    for _attempt in range(int(sys.argv[1])):
        print(kill_after(random.uniform(4, LONGEST_SECONDS), sys.argv[2:]))


if __name__ == "__main__":
    main()
