"""Imports the user's plugins and modules as Airflow's processes do, before any of these has them, and prints faults."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path


def place(error: BaseException, root: str) -> str:
    """File and line of the user's code in which ``error`` has its cause, and the error."""
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(root)]
    where = f"{Path(lines[-1].filename).relative_to(root)}, line {lines[-1].lineno}: " if lines else ""
    return f"{where}{type(error).__name__}: {' '.join(str(error).split())}"


def faults(root: str) -> Iterator[str]:
    """What cannot be imported of the code below ``root``."""
    try:
        # This runs airflow_local_settings and the logging configuration.
        importlib.import_module("airflow.settings")
    except BaseException as error:
        yield place(error, root)
        return
    from airflow import plugins_manager

    plugins_manager.ensure_plugins_loaded()
    found = getattr(plugins_manager, "get_import_errors", lambda: plugins_manager.import_errors)()
    for source, message in sorted(found.items()):
        yield f"{str(source).removeprefix(root).lstrip('/')}: {' '.join(str(message).split())}"


if __name__ == "__main__":
    count = 0
    for fault in faults(sys.argv[1].rstrip("/")):
        print(f"FAULT {fault}", flush=True)
        count += 1
    sys.exit(1 if count else 0)
