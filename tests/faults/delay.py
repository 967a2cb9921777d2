"""Runs as root on a host: what it sends to the named addresses leaves 150 to 250 ms late, and in another order, until
standard input ends.

    python3 delay.py ADDRESS...

Packets are led into a TUN device, kept here, and sent on by a raw socket whose mark leads them past the device. (Linux
can do that by itself with netem, which many kernels for containers lack.)
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import os
import random
import selectors
import socket
import struct
import subprocess
import sys
import time

LEAST, MOST = 0.15, 0.25
NAME, MARK, TABLE = "nemesis", 7, "77"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def ip(*arguments: str) -> None:
    """Change the routes."""
    subprocess.run(["ip", *arguments], check=True)


def forward(device: int) -> None:
    """Send on what comes, late, until no receiver is left."""
    sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
    waiting: list[tuple[float, bytes]] = []
    events = selectors.DefaultSelector()
    events.register(device, selectors.EVENT_READ)
    events.register(sys.stdin, selectors.EVENT_READ)
    while True:
        for key, _events in events.select(max(0.0, waiting[0][0] - time.monotonic()) if waiting else None):
            if key.fileobj is sys.stdin:
                return
            packet = os.read(device, 65536)
            if packet[0] >> 4 == 4:
                heapq.heappush(waiting, (time.monotonic() + random.uniform(LEAST, MOST), packet))
        while waiting and waiting[0][0] <= time.monotonic():
            packet = heapq.heappop(waiting)[1]
            # The kernel says so when a rule of another fault drops it.
            with contextlib.suppress(PermissionError):
                sender.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))


def main() -> None:
    """Entry point."""
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", NAME.encode(), IFF_TUN | IFF_NO_PI))
    ip("link", "set", NAME, "up")
    ip("route", "add", "default", "dev", NAME, "table", TABLE)
    rules = [("fwmark", str(MARK), "table", "main", "priority", "100")]
    rules += [("to", address, "table", TABLE, "priority", "101") for address in sys.argv[1:]]
    for rule in rules:
        ip("rule", "add", *rule)
    print("ready", flush=True)
    try:
        forward(device)
    finally:
        for rule in rules:
            ip("rule", "del", *rule)


if __name__ == "__main__":
    main()
