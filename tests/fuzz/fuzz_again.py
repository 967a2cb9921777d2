"""Computes inventories a second time, in a process whose sets have another order.

As a program: stdin is a pickle of pairs, an inventory and the number of its hosts whose files count; stdout is a list
of digests as JSON.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1])]
    # Makes the collection importable.
    importlib.import_module("conftest")

from fuzz_inventories import Inventory
from fuzz_verdict import Verdict, files, verdict


def digest(known: Verdict, hosts: int) -> str:
    """The same for what is the same to a user: the verdict, and the files of the first ``hosts`` hosts."""
    text = known.report
    if known.accepted:
        rendered = files(known, sorted(known.cluster["nodes"])[:hosts])
        # Keys and certificates are random.
        plain = [(each.host, each.path, each.content) for each in rendered if "-----BEGIN" not in each.content]
        text = json.dumps([known.cluster, known.result["summary"], plain], sort_keys=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def again(pairs: list[tuple[Inventory, int]]) -> list[str]:
    """Digests of the inventories in a new process."""
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    done = subprocess.run(
        [sys.executable, __file__], input=pickle.dumps(pairs), stdout=subprocess.PIPE, check=True, env=environment
    )
    return list(json.loads(done.stdout))


def main() -> None:
    """Command line."""
    digests = []
    for inventory, hosts in pickle.loads(sys.stdin.buffer.read()):
        digests.append(digest(verdict(inventory), hosts))
    print(json.dumps(digests))


if __name__ == "__main__":
    main()
