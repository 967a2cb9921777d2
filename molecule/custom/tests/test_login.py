"""People log in with a directory, then with an OpenID provider, through the load balancer in a real browser."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from browser import TIMEOUT_MS, chromium
from changes import Change, change, deploy, processes
from cluster_access import ansible, wait_until
from dag_runs import log_in
from outside import run_in
from playwright.sync_api import Browser, Page, expect

HERE = Path(__file__).parent
INVENTORY = HERE.parent / "inventory/group_vars/all"
VALUES = yaml.safe_load((INVENTORY / "login.yml").read_text())
GATEWAY = f"{yaml.safe_load((INVENTORY / 'lab.yml').read_text())['lab_subnet']}.1"
FOLDER = HERE.parents[2] / ".cache/login"
CONFIG = "/etc/airflow/webserver_config.py"
WEBSERVER = "core/airflow-api-server"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # The provider's page has a style sheet from elsewhere.
    rules = f"MAP login.example.org {GATEWAY}, MAP cdn.jsdelivr.net ~NOTFOUND"
    with chromium(f"--host-resolver-rules={rules}") as launched:
        yield launched


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window without a login."""
    window = browser.new_context(ignore_https_errors=True).new_page()
    window.set_default_timeout(TIMEOUT_MS)
    yield window
    window.context.close()


def type_in(page: Page, cluster, name: str, password: str) -> None:
    page.goto(cluster.url)
    page.locator("#username").fill(name)
    page.locator("#password").fill(password)
    page.locator("input[type=submit], button[type=submit]").first.click()


def expect_ui(page: Page) -> None:
    expect(page.get_by_role("link", name="Dags").first).to_be_visible()


def roles(cluster, name: str) -> set[str]:
    """The roles that Airflow has given an account."""
    found = log_in(cluster).get(f"{cluster.url}/auth/fab/v1/users/{name}", timeout=30)
    found.raise_for_status()
    return {role["name"] for role in found.json()["roles"]}


def checked(**arguments: Any) -> str:
    """What the check of a webserver_config.py says on the webserver."""
    python = "ansible_python_interpreter=/opt/airflow/current/bin/python"
    given = json.dumps({"user": "airflow", "again": True, **arguments})
    try:
        said = ansible("core", "-m", "flightdeck.airflow.webserver_config", "-a", given, "-e", python)
    except RuntimeError as error:
        said = str(error)
    return " ".join(said.split())


def test_people_of_the_directory_log_in_with_the_roles_of_their_groups(cluster, page):
    type_in(page, cluster, "ada", "ada-password")
    expect_ui(page)
    assert roles(cluster, "ada") == {"Admin", "Public"}


def test_one_of_another_group_has_another_role(cluster, page):
    type_in(page, cluster, "bob", "bob-password")
    expect_ui(page)
    assert roles(cluster, "bob") == {"Viewer", "Public"}


def test_a_wrong_password_is_refused(cluster, page):
    type_in(page, cluster, "ada", "bob-password")
    expect(page.get_by_text("Invalid login").first).to_be_visible()


def test_the_administrators_account_is_not_the_directorys(cluster):
    """Its own password opens it, that of an account of its name in the directory does not."""
    names = {"username": cluster.user, "password": "admin-password"}
    assert requests.post(f"{cluster.url}/auth/token", json=names, timeout=30).status_code == 401
    assert roles(cluster, cluster.user) == {"Admin"}


def test_the_webserver_alone_may_read_the_password(host_named):
    assert run_in("fd-custom-core", "ls", "-l", "/etc/airflow/secrets/ldap_bind_password").startswith("-rw-r-----")
    assert not host_named("worker1").file("/etc/airflow/secrets/ldap_bind_password").exists
    assert not host_named("worker1").file(CONFIG).exists
    pid = processes()["core/airflow-scheduler"]
    mounts = run_in("fd-custom-core", "cat", f"/proc/{pid}/mountinfo")
    assert re.search(r"/etc/airflow/nothing /etc/airflow/secrets/ldap_bind_password ", mounts)
    text = run_in("fd-custom-core", "cat", CONFIG)
    assert VALUES["vault_ldap_bind_password"] not in text


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("AUTH_LDAP_SEARCH =", "AUTH_LDAP_SERCH =", "FD315.*AUTH_LDAP_SERCH.*Did you mean AUTH_LDAP_SEARCH"),
        ("/etc/airflow/secrets/login_ca.crt", "/etc/ssl/certs/ca-certificates.crt", "FD316.*its CA is another"),
        ("ldaps://ldap.example.org", "ldaps://ldap.example.org:637", "FD317.*does not answer"),
        ("WTF_CSRF_ENABLED = True", "WTF_CSRF_ENABLED = true", "FD315.*NameError in line"),
    ],
)
def test_a_wrong_file_is_found(cluster, old, new, says):
    text = run_in("fd-custom-core", "cat", CONFIG)
    assert old in text
    secrets = {"ldap_bind_password": cluster.secrets["ldap_bind_password"], "login_ca.crt": cluster.secrets["login_ca"]}
    assert re.search(says, checked(content=text.replace(old, new), secrets=secrets))


def test_a_wrong_password_of_airflow_changes_nothing():
    """By a whole run: the former file and the former process stay."""
    before = processes(), run_in("fd-custom-core", "cat", "/etc/airflow/secrets/ldap_bind_password")
    with pytest.raises(RuntimeError, match=r"FD316.*refuses the bind account or its password"):
        deploy("-e", json.dumps({"airflow_ldap_bind_password": "another-password"}))
    assert (processes(), run_in("fd-custom-core", "cat", "/etc/airflow/secrets/ldap_bind_password")) == before


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The OpenID provider, outside of the cluster."""
    command = [sys.executable, HERE / "openid_provider.py", GATEWAY, "8443"]
    files = [FOLDER / "provider.crt", FOLDER / "provider.key"]
    environment = {**os.environ, "CLIENT_SECRET": VALUES["vault_openid_client_secret"]}
    with subprocess.Popen([*command, *files], env=environment, stderr=subprocess.DEVNULL) as process:
        url = f"https://{GATEWAY}:8443/.well-known/openid-configuration"
        wait_until("the provider answers", lambda: requests.get(url, timeout=5, verify=False).ok, 30)
        yield url
        process.terminate()


@pytest.fixture(scope="module")
def openid(provider: str) -> Change:
    """The change to the provider in the place of the directory."""
    assert provider
    return change("login")


def come_from_provider(page: Page, cluster, name: str) -> None:
    page.goto(cluster.url)
    page.get_by_text("openid", exact=False).last.click()
    page.get_by_role("button", name=f"id-of-{name}").click()


def test_another_login_restarts_the_webserver_alone(openid):
    assert openid.restarted == {WEBSERVER}
    files = run_in("fd-custom-core", "ls", "/etc/airflow/secrets", "/etc/airflow/python").split()
    assert "openid_client_secret" in files
    assert not {"ldap_bind_password", "ldap", "_ldap.so"} & set(files)


@pytest.mark.usefixtures("openid")
def test_people_of_the_provider_log_in_with_the_roles_of_their_groups(cluster, page):
    come_from_provider(page, cluster, "bob")
    expect_ui(page)
    assert page.url.startswith(cluster.url)
    assert roles(cluster, "bob") == {"Viewer", "Public"}


@pytest.mark.usefixtures("openid")
def test_the_administrators_account_is_not_the_providers(cluster, page):
    come_from_provider(page, cluster, "admin")
    expect(page.get_by_text("Invalid login").first).to_be_visible()
    assert roles(cluster, cluster.user) == {"Admin"}
