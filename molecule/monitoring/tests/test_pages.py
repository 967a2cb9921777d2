"""Pages of Prometheus in a browser: every panel draws what the cluster measures; they want a login."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
import requests
from browser import TIMEOUT_MS, chromium
from cluster_access import wait_until
from playwright.sync_api import expect
from prometheus import Prometheus
from test_monitoring import SERVER

ROOT = Path(__file__).parents[3]
PAGES = sorted(path.stem for path in (ROOT / "roles/monitoring/files/consoles").glob("*.html"))
# Of services that the cluster does not have.
ABSENT = re.compile(r"\b(patroni|etcd|redis)_")
# Where a run leaves pictures of the pages, when a directory is given.
PICTURES = os.environ.get("FLIGHTDECK_PICTURES", "")


@pytest.fixture(scope="module")
def browser():
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def server(cluster):
    return Prometheus(cluster, SERVER)


@pytest.fixture(scope="module")
def window(browser, server):
    user, password = server.login
    context = browser.new_context(
        ignore_https_errors=True,
        http_credentials={"username": user, "password": password},
        viewport={"width": 1300, "height": 900},
    )
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    yield page
    context.close()


def test_a_page_wants_a_login(server):
    assert requests.get(f"{server.url}/consoles/index.html", timeout=10).status_code == 401


@pytest.mark.parametrize("name", PAGES)
def test_every_panel_of_a_page_draws_data(server, window, name):
    errors = []
    window.on("pageerror", lambda error: errors.append(str(error)))

    def drawn():
        window.goto(f"{server.url}/consoles/{name}.html?hours=0.25")
        expect(window.locator("body")).to_have_attribute("data-drawn", "true")
        panels = json.loads(window.locator("#panels").text_content())
        figures = window.locator("figure").all()
        assert len(panels) == len(figures) > 0
        assert not [figure.get_attribute("data-error") for figure in figures if figure.get_attribute("data-error")]
        empty = [panel for panel, each in zip(panels, figures, strict=True) if each.get_attribute("data-lines") == "0"]
        return all(ABSENT.search(query) for panel in empty for query in panel["queries"].values())

    wait_until(f"all panels of {name} draw", drawn, 60, every=2.0)
    assert not errors
    assert window.locator("#pages a.here").count() == 1
    if PICTURES:
        window.screenshot(path=f"{PICTURES}/{name}.png")


def test_the_first_page_has_the_alerts_and_links_to_the_others(server, window):
    window.goto(f"{server.url}/consoles/index.html")
    expect(window.locator("#alerts .alert").first).to_be_visible()
    links = {link.evaluate("link => link.pathname") for link in window.locator("#pages a").all()}
    assert links == {f"/consoles/{name}.html" for name in PAGES}
    # Prometheus's own page leads here.
    assert requests.get(server.url, auth=server.login, timeout=10).url
