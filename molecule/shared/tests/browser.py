"""A person's browser: Debian's Chromium, headless."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

TIMEOUT_MS = 30_000


@contextlib.contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """Debian's Chromium. Playwright's own browsers would be another download."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not path:
        pytest.fail(
            "no Chromium on this machine: run 'apt-get install --no-install-recommends chromium', or name it in "
            "CHROMIUM"
        )
    expect.set_options(timeout=TIMEOUT_MS)
    # Chromium's own sandbox needs rights that containers lack; it opens nothing here but our cluster.
    how = ["--no-sandbox", "--disable-dev-shm-usage", *arguments]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=how)
        yield launched
        launched.close()
