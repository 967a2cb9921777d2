#!/usr/bin/python3
"""Writes what no exporter knows of this host for the node exporter, in Prometheus's text format. Started by a timer.

Standard library only.
"""

from __future__ import annotations

import glob
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, "/usr/local/lib/flightdeck-metrics")

CONFIG = Path("/etc/flightdeck-metrics/host.json")
TARGET = Path("/var/lib/prometheus/node-exporter/flightdeck.prom")
CERTIFICATES = ("/etc/*/airflow-tls/*.crt", "/etc/*/airflow-tls/*.pem", "/etc/airflow/secrets/*.crt")
DRAINED = Path("/etc/airflow/drained")
CONTAINER = Path("/run/systemd/container")
WATCHDOG = Path("/run/airflow-watchdog")
BACKUP_RUN = Path("/var/lib/flightdeck-backup/backup.json")
# Seconds.
COMMAND_SECONDS = 20
HELP = {
    "certificate_end_timestamp_seconds": "When a certificate ends.",
    "container": "Whether the host is a container, whose clock is that of its machine.",
    "drained": "Whether the host is drained.",
    "drained_since_timestamp_seconds": "Since when the host is drained.",
    "dags_info": "Revision of the DAG files on the host.",
    "health_failed_checks": "Failed health checks of a service in a row.",
    "health_check_timestamp_seconds": "When a service was last found healthy or unhealthy.",
    "watchdog_restarts_total": "Restarts by the watchdog since the host started.",
    "backup_end_timestamp_seconds": "When the last backup ended; 0 without one.",
    "backup_max_age_seconds": "Age at which the last backup is too old.",
    "backup_failed": "Whether the last run of a backup failed.",
    "backup_repository_failed": "Whether the repository of backups cannot be read.",
}


class Sample(NamedTuple):
    """A value of a metric."""

    name: str
    value: float
    labels: Mapping[str, str] = {}


def certificates(patterns: tuple[str, ...] = CERTIFICATES) -> Iterator[Sample]:
    """The end of each certificate in the files that match ``patterns``."""
    from certificate import not_after

    for path in sorted(path for pattern in patterns for path in glob.glob(pattern)):
        try:
            end = not_after(Path(path).read_text(encoding="ascii"))
        except (OSError, ValueError):
            # One that cannot be read has no end, which an alert finds.
            yield Sample("certificate_end_timestamp_seconds", 0, {"path": path})
            continue
        yield Sample("certificate_end_timestamp_seconds", end.timestamp(), {"path": path})


def drained(mark: Path = DRAINED) -> Iterator[Sample]:
    """Whether the host is drained, and since when."""
    try:
        since = mark.stat().st_mtime
    except FileNotFoundError:
        yield Sample("drained", 0)
        return
    yield Sample("drained", 1)
    yield Sample("drained_since_timestamp_seconds", since)


def dags(link: str) -> Iterator[Sample]:
    """The revision of the DAG files that ``link`` points to."""
    path = Path(link)
    if path.is_symlink():
        yield Sample("dags_info", 1, {"revision": path.readlink().name})


def health(directory: Path = WATCHDOG) -> Iterator[Sample]:
    """What the watchdog found out about each service."""
    for path in sorted(directory.glob("airflow-*")):
        try:
            record, checked = json.loads(path.read_text(encoding="utf-8")), path.stat().st_mtime
        except (OSError, ValueError):
            # It is being written.
            continue
        unit = {"unit": path.name}
        yield Sample("health_failed_checks", record.get("failed", 0), unit)
        yield Sample("health_check_timestamp_seconds", checked, unit)
        yield Sample("watchdog_restarts_total", record.get("restarts", 0), unit)


def backups(program: Sequence[str], max_age_hours: int, run: Path = BACKUP_RUN) -> Iterator[Sample]:
    """The age of the last backup in the repository, and how the last run ended."""
    yield Sample("backup_max_age_seconds", 3600 * max_age_hours)
    command = ["runuser", "--user", "postgres", "--", *program, "--output=json", "info"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=True)
        ends = backup_ends(json.loads(done.stdout))
        yield Sample("backup_repository_failed", 0)
        yield Sample("backup_end_timestamp_seconds", max(ends, default=0))
    except (OSError, ValueError, LookupError, TypeError, subprocess.SubprocessError):
        yield Sample("backup_repository_failed", 1)
    if run.exists():
        yield Sample("backup_failed", float(bool(json.loads(run.read_text(encoding="utf-8"))["problem"])))


def backup_ends(answer: Any) -> list[int]:
    """When each backup ended that ``answer``, of ``pgbackrest info``, has. Raises LookupError or TypeError.

    Those of what a restore replaced do not count.
    """
    made = (backup for backup in answer[0].get("backup") or [] if backup.get("type") != "replaced")
    return [int(backup["timestamp"]["stop"]) for backup in made]


def text(samples: Iterator[Sample]) -> str:
    """``samples`` in Prometheus's format, those of a metric together."""
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        by_name.setdefault(sample.name, []).append(sample)
    lines = []
    for name, found in by_name.items():
        lines += [f"# HELP flightdeck_{name} {HELP[name]}", f"# TYPE flightdeck_{name} {kind(name)}"]
        for sample in found:
            labels = ",".join(f'{label}="{escaped(value)}"' for label, value in sample.labels.items())
            lines.append(f"flightdeck_{name}{f'{{{labels}}}' if labels else ''} {sample.value:.15g}")
    return "\n".join(lines) + "\n"


def kind(name: str) -> str:
    """The type of a metric."""
    return "counter" if name.endswith("_total") else "gauge"


def escaped(value: str) -> str:
    """A label's ``value`` between quotation marks."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def collected(config: Mapping[str, Any]) -> Iterator[Sample]:
    """All samples of a host with ``config``."""
    yield Sample("container", float(CONTAINER.exists()))
    yield from certificates()
    yield from drained()
    yield from health()
    if config["dags"]:
        yield from dags(config["dags"])
    if config["backup_command"]:
        yield from backups(config["backup_command"], config["max_backup_age_hours"])


def main() -> int:
    """Entry point."""
    began = time.monotonic()
    content = text(collected(json.loads(CONFIG.read_text(encoding="utf-8"))))
    # At once or not at all: the node exporter reads at any time.
    scratch = TARGET.with_suffix(".new")
    scratch.write_text(content, encoding="utf-8")
    scratch.chmod(0o644)
    scratch.replace(TARGET)
    print(f"{content.count(chr(10))} lines in {time.monotonic() - began:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
