"""What HAProxy says of the servers that it sends to."""

from __future__ import annotations

import csv

from testinfra.host import Host


def statistics(host: Host, listener: str, column: str) -> dict[str, str]:
    """A column of HAProxy's statistics by server, where BACKEND is the ``listener`` as a whole."""
    # Six: the listener itself and its servers.
    text = host.check_output("echo show stat %s 6 -1 | socat - /run/haproxy/admin.sock", listener)
    return {row["svname"]: row[column] for row in csv.DictReader(text.removeprefix("# ").strip().splitlines())}
