"""A person with a browser: Chromium, headless, through the load balancer."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests
from browser import TIMEOUT_MS, chromium
from cluster_access import CANARY, access, service, wait_until
from dag_runs import DagRuns
from playwright.sync_api import Browser, Page, expect

UNIT = "airflow-api-server"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def run_id() -> str:
    """Id of a successful run of the canary, triggered by the API."""
    runs = DagRuns(access())
    started = runs.start(instances={}, seconds=0)
    runs.succeed(started)
    return started


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """A window of a user who has logged in."""
    # The machine's browser does not trust the cluster's CA; test_tls.py verifies the certificate.
    window = browser.new_page(ignore_https_errors=True)
    window.set_default_timeout(TIMEOUT_MS)
    cluster = access()
    window.goto(cluster.url)
    window.locator("#username").fill(cluster.user)
    window.locator("#password").fill(cluster.password)
    window.locator("input[type=submit], button[type=submit]").first.click()
    expect(window.get_by_role("link", name="Dags").first).to_be_visible()
    yield window
    window.close()


def open_runs(page: Page) -> None:
    page.goto(f"{access().url}/dags/{CANARY}/runs")


def run_row(page: Page, run_id: str):
    return page.get_by_role("row").filter(has_text=run_id).first


def test_a_wrong_password_is_refused(browser: Browser) -> None:
    window = browser.new_page(ignore_https_errors=True)
    window.set_default_timeout(TIMEOUT_MS)
    window.goto(access().url)
    window.locator("#username").fill(access().user)
    window.locator("#password").fill("wrong")
    window.locator("input[type=submit], button[type=submit]").first.click()
    expect(window.locator("#password")).to_be_visible()
    expect(window.get_by_text("Invalid login")).to_be_visible()
    window.close()


def test_the_dag_is_in_the_list(page: Page) -> None:
    page.goto(f"{access().url}/dags")
    expect(page.get_by_role("link", name=CANARY).first).to_be_visible()


def test_the_successful_run_is_shown(page: Page, run_id: str) -> None:
    open_runs(page)
    expect(run_row(page, run_id)).to_contain_text("Success")


def test_the_log_of_a_task_is_shown(page: Page, run_id: str) -> None:
    queue = sorted(access().model["queues"])[0]
    page.goto(f"{access().url}/dags/{CANARY}/runs/{run_id}/tasks/probe__{queue}/mapped/0")
    expect(page.get_by_text(f"flightdeck-canary run={run_id}").first).to_be_visible()


def serving(server: str) -> bool:
    """Whether the load balancers send requests to this webserver, by what they say in their metrics."""
    model = access().model
    for balancer in model["hosts_of"]["haproxy"]:
        port = model["nodes"][balancer["name"]]["haproxy"]["metrics_port"]
        metrics = requests.get(f"http://{balancer['address']}:{port}/metrics", timeout=10).text
        if not re.search(
            rf'^haproxy_server_status{{proxy="web",server="{re.escape(server)}",state="UP"}} 1$', metrics, re.MULTILINE
        ):
            return False
    return True


def test_a_login_survives_the_loss_of_each_webserver(page: Page, run_id: str) -> None:
    """Each webserver is stopped in turn, the one that served the login among them."""
    hosts = [host["name"] for host in access().model["hosts_of"]["webserver"]]
    if len(hosts) < 2:
        pytest.skip("one webserver: there is none left to serve users")
    for host in hosts:
        service(host, UNIT, "stopped")
        try:
            open_runs(page)
            expect(run_row(page, run_id)).to_contain_text("Success")
            assert "/auth/login" not in page.url
        finally:
            service(host, UNIT, "started")
            wait_until(
                f"{host} is back behind the load balancer", lambda name=host: serving(name), seconds=120, every=1.0
            )
    assert page.locator("#password").count() == 0
