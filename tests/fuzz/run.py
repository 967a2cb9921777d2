"""Random inventories for a time, their files checked by the programs of the hosts.

    python tests/fuzz/run.py --minutes 60 [--seed 1]

Needs Docker and runs one container. Every batch of examples has a seed, which is printed; with ``--seed`` that one runs
first. A fault leaves its inventory in ``artefacts/fuzz``. Ends with 1 when there was a fault.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent), str(ROOT / "molecule/shared")]
# Makes the collection importable.
importlib.import_module("conftest")

import lab
from fuzz_again import again, digest
from fuzz_inventories import Inventory, inventories
from fuzz_programs import batch, check, units
from fuzz_verdict import files, verdict
from hypothesis import HealthCheck, Phase, given, seed, settings

IMAGE = "bookworm"
PACKAGES = (
    "collectd-core",
    "etcd-server",
    "haproxy",
    "keepalived",
    "libmicrohttpd12",
    "libprotobuf-c1",
    "patroni",
    "pgbouncer",
    "postgresql-15",
    "prometheus",
    "prometheus-alertmanager",
    "prometheus-exporter-exporter",
    "prometheus-node-exporter",
    "prometheus-postgres-exporter",
    "prometheus-redis-exporter",
    "python3-etcd",
    "rabbitmq-server",
    "redis-server",
)
SIZE = 40
# Hosts of an accepted inventory whose files are checked.
HOSTS = 2
OUTPUT = ROOT / "artefacts/fuzz"


class Run:
    """The faults and the counts of all batches."""

    def __init__(self, container: str) -> None:
        self.container = container
        self.counts: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    def batch(self, number: int) -> None:
        """Make and check the examples of one seed."""
        pairs: list[tuple[Inventory, int]] = []
        digests: list[str] = []
        hosts: list[tuple[Inventory, dict[str, Any]]] = []

        @seed(number)
        @settings(
            max_examples=SIZE,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(inventories())
        def one(inventory: Inventory) -> None:
            self.counts["inventories"] += 1
            try:
                known = verdict(inventory)
                if known.accepted:
                    self.counts["accepted"] += 1
                    for host in sorted(known.cluster["nodes"])[:HOSTS]:
                        rendered = list(files(known, [host]))
                        for file in rendered:
                            check(file, known, self.counts)
                        with tempfile.TemporaryDirectory() as folder:
                            units(rendered, Path(folder))
                        hosts.append((inventory, batch(known, host, rendered)))
                digests.append(digest(known, HOSTS))
                pairs.append((inventory, HOSTS))
            except Exception as error:
                self.fault(number, inventory, f"{type(error).__name__}: {error}", traceback.format_exc())

        one()
        for (inventory, _hosts), first, second in zip(pairs, digests, again(pairs), strict=True):
            self.counts["computed twice"] += 1
            if first != second:
                self.fault(number, inventory, "another result in another process")
        for index, program, complaint in self._in_container([host for _inventory, host in hosts]):
            self.counts[program] += 1
            if complaint:
                self.fault(number, hosts[index][0], f"{program} of host {hosts[index][1]['host']}: {complaint}")

    def _in_container(self, hosts: list[dict[str, Any]]) -> list[tuple[int, str, str]]:
        if not hosts:
            return []
        command = ["docker", "exec", "-i", self.container, "nice", "-n", "19", "python3", "/fuzz/in_container.py"]
        done = subprocess.run(command, input=json.dumps(hosts).encode(), stdout=subprocess.PIPE, check=True)
        return [tuple(each) for each in json.loads(done.stdout)]

    def fault(self, number: int, inventory: Inventory, text: str, trace: str = "") -> None:
        """Record a fault with what it takes to repeat it."""
        self.faults[text.splitlines()[0][:120]] += 1
        OUTPUT.mkdir(parents=True, exist_ok=True)
        path = OUTPUT / f"{number}-{sum(self.faults.values())}"
        path.with_suffix(".pickle").write_bytes(pickle.dumps(inventory))
        path.with_suffix(".txt").write_text(
            f"{text}\n\n{inventory}\n\n{trace}", encoding="utf-8", errors="backslashreplace"
        )
        shown = text[:600].encode("utf-8", "backslashreplace").decode()
        print(f"FAULT with seed {number}, see {path.relative_to(ROOT)}.txt:\n  {shown}", flush=True)

    def summary(self) -> str:
        """What was done so far."""
        return ", ".join(f"{count} {name}" for name, count in self.counts.items())


@contextlib.contextmanager
def container() -> Iterator[str]:
    """A container with the programs of the hosts; its name."""
    lab.engine()
    lab.image(IMAGE)
    name = f"fd-fuzz-{os.getpid()}"
    try:
        # Networks of its own, so that etcd can listen on any address. It has no share that another container wants.
        options = ["--init", "--cap-add", "NET_ADMIN", "--cpu-shares", "2"]
        options += ["--sysctl", "net.ipv6.conf.all.disable_ipv6=0"]
        lab.run(
            "docker",
            "run",
            "--detach",
            "--name",
            name,
            *options,
            "--entrypoint",
            "sleep",
            f"flightdeck-{IMAGE}",
            "infinity",
        )
        # Their services must not start.
        script = (
            "printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod 0755 /usr/sbin/policy-rc.d; "
            "DEBIAN_FRONTEND=noninteractive nice -n 19 apt-get install --yes --quiet --no-install-recommends "
            + " ".join(PACKAGES)
        )
        lab.say("installing the programs of the hosts in a container")
        lab.run("docker", "exec", name, "sh", "-ec", script)
        lab.run("docker", "cp", f"{HERE}/.", f"{name}:/fuzz")
        yield name
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True, check=False)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, help="the seed of the first batch")
    arguments = parser.parse_args()
    number = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(2**32)
    deadline = time.monotonic() + 60 * arguments.minutes
    # So that the container is removed then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        with container() as name:
            whole = Run(name)
            batches = 0
            while batches == 0 or time.monotonic() < deadline:
                print(f"seed {number}", flush=True)
                whole.batch(number)
                batches += 1
                print(f"  {whole.summary()}", flush=True)
                number = random.SystemRandom().randrange(2**32)
    except lab.LabError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    print(f"\n{batches} batches, {sum(whole.faults.values())} faults\n  {whole.summary()}")
    for text, count in whole.faults.most_common():
        print(f"  {count} times: {text.encode('utf-8', 'backslashreplace').decode()}")
    return int(bool(whole.faults))


if __name__ == "__main__":
    sys.exit(main())
