#!/usr/bin/python3
"""Shows lines of the journals that the hosts of the cluster have sent here, as journalctl does.

Options that are not listed are journalctl's own and come behind "--". Standard library only.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

DIRECTORY = Path("/var/log/flightdeck-journal")
JOURNALCTL = "/usr/bin/journalctl"


class UnknownHostError(Exception):
    """No journal of a host is here."""


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="flightdeck-journal",
        description="Search the journals of all hosts of the cluster.",
        epilog="What follows -- are options of journalctl.",
    )
    add = parser.add_argument
    add("-H", "--host", action="append", default=[], help="inventory name of a host; may be repeated")
    add("-u", "--unit", action="append", default=[], help="a unit, or a pattern such as 'airflow-*'; may be repeated")
    add("--dag", default="", help="lines that name this DAG")
    add("--dag-run", default="", metavar="RUN", help="lines that name this run of a DAG")
    add("-g", "--grep", default="", metavar="TEXT", help="lines with this text")
    add("-S", "--since", default="", help="a time, such as -1h or '2026-01-31 14:00'")
    add("-U", "--until", default="", help="a time")
    add("-p", "--priority", default="", help="this priority and graver ones, such as warning")
    add("-n", "--lines", default="", help="the newest lines; 1000 without --since")
    add("-f", "--follow", action="store_true", help="show new lines as they come")
    add("-o", "--output", default="short-iso", help="format of the lines, such as json or cat")
    add("--hosts", action="store_true", help="list the hosts whose journals are here")
    add("journalctl", nargs="*", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def files(hosts: Sequence[str], directory: Path) -> list[str]:
    """Options of journalctl for the journals of ``hosts``, or of all. Raises UnknownHostError."""
    if not hosts:
        return [f"--directory={directory}"]
    here = names(directory)
    for host in hosts:
        if host not in here:
            raise UnknownHostError(f"there is no journal of {host}; there are those of {', '.join(here) or 'no host'}")
    return [f"--file={path}" for path in sorted(directory.glob("*.journal*")) if host_of(path) in hosts]


def names(directory: Path) -> list[str]:
    """The hosts whose journals are in ``directory``."""
    return sorted({host_of(path) for path in directory.glob("*.journal*")})


def host_of(path: Path) -> str:
    """The host whose journal is in the file ``path``. Complete ones have more than its name, after "@", and those that
    were not closed end with "~"."""
    return path.name.partition("@")[0].removesuffix(".journal")


def pattern(texts: Sequence[str]) -> str:
    """A regular expression of messages that have all ``texts``, each as a whole word."""
    return "(?s)" + "".join(f"(?=.*(?<![\\w.+-]){re.escape(text)}(?![\\w.+-]))" for text in texts)


def command(given: argparse.Namespace, directory: Path = DIRECTORY) -> list[str]:
    """The call of journalctl. Raises UnknownHostError."""
    found = [JOURNALCTL, "--quiet", f"--output={given.output}", *files(given.host, directory)]
    found += [f"--unit={unit}" for unit in given.unit]
    words = [text for text in (given.dag, given.dag_run) if text]
    if words or given.grep:
        texts = pattern(words) + (f"(?=.*{re.escape(given.grep)})" if given.grep else "")
        found += [f"--grep={texts}", "--case-sensitive=yes"]
    lines = given.lines or ("" if given.since else "1000")
    for name, value in (("since", given.since), ("until", given.until), ("priority", given.priority), ("lines", lines)):
        if value:
            found.append(f"--{name}={value}")
    return [*found, *(["--follow"] if given.follow else []), *given.journalctl]


def main(arguments: Sequence[str]) -> int:
    """Show what the command line asks for."""
    given = options(arguments)
    if not os.access(DIRECTORY, os.R_OK):
        print("flightdeck-journal: only root may read the journals of the hosts", file=sys.stderr)
        return 1
    if given.hosts:
        print("\n".join(names(DIRECTORY)))
        return 0
    try:
        call = command(given)
    except UnknownHostError as error:
        print(f"flightdeck-journal: {error}", file=sys.stderr)
        return 1
    try:
        return subprocess.run(call, check=False).returncode
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
