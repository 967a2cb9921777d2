"""Start the deployment of this scenario and kill it, with everything that it started, after a random time:
interrupt.py TIMES."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
# A whole run takes about 70 s here; each attempt may get further than the one before.
LONGEST_SECONDS = 45


def main() -> None:
    """Command line."""
    command = ["ansible-playbook", "-i", str(HERE / "inventory"), str(HERE.parents[1] / "site.yml")]
    for _attempt in range(int(sys.argv[1])):
        seconds = random.uniform(4, LONGEST_SECONDS)
        run = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        try:
            output, _ = run.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            output, _ = run.communicate()
        tasks = [line for line in output.splitlines() if line.startswith("TASK")]
        print(f"killed after {seconds:.1f} s in: {tasks[-1].strip('* ') if tasks else 'the start'}")


if __name__ == "__main__":
    main()
