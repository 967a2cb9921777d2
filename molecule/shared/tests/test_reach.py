"""Users reach Airflow under its URL, with a path and behind a proxy, and never the execution API."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests
from cluster_access import access, wait_until
from load_balancer import statistics

# A client that only a trusted proxy may speak of; see RFC 5737.
CLIENT = "198.51.100.77"
OUTER = {
    "Host": "inner.example.org",
    "X-Forwarded-For": CLIENT,
    "X-Forwarded-Host": "outer.example.org",
    "X-Forwarded-Proto": "https",
}


@pytest.fixture(scope="module")
def balancer():
    """Address of the first load balancer, and its listeners by name."""
    model = access().model
    first = model["hosts_of"]["haproxy"][0]
    return first["address"], {each["name"]: each for each in model["nodes"][first["name"]]["haproxy"]["listeners"]}


@pytest.fixture(scope="module")
def path(balancer):
    """The path of the URL."""
    return balancer[1]["web"]["access"]["url"]["path"]


def ask(url, **headers):
    """The answer at ``url``, without following a redirect."""
    opened = requests.Session()
    # This machine may have a proxy of its own.
    opened.trust_env = False
    return opened.get(url, headers=headers, allow_redirects=False, verify=access().ca_file, timeout=30)


def own(balancer, listener="web"):
    """URL of a listener under the load balancer's address."""
    address, listeners = balancer
    return f"https://{address}:{listeners[listener]['port']}"


def login_page(path):
    """A page that Airflow moves by a slash, to a whole URL."""
    return f"{path}/auth/login" if access().model["version"]["major"] >= 3 else f"{path}/login"


def test_the_root_leads_to_the_path(balancer, path):
    if not path:
        pytest.skip("the scenario has no path")
    for asked in ("/", path):
        answer = ask(own(balancer) + asked)
        assert (answer.status_code, answer.headers["Location"]) == (302, f"{path}/")
    assert ask(f"{own(balancer)}/api/v2/version").status_code == 403
    assert ask(f"{access().api_url}/version").status_code == 200


def test_the_execution_api_is_not_for_users(balancer, path):
    for asked in (
        f"{path}/execution/health",
        "/execution/health",
        f"{path}/%65xecution/health",
        f"/{path}//execution/health",
    ):
        assert ask(own(balancer) + asked).status_code == 403, asked


def test_tasks_reach_the_execution_api_and_nothing_else_there(balancer, path):
    if "execution_api" not in balancer[1]:
        pytest.skip("Airflow 2 has none")
    inner = own(balancer, "execution_api")
    assert ask(f"{inner}{path}/execution/health").json() == {"status": "healthy"}
    assert ask(f"{inner}{path}/api/v2/version").status_code == 403


def test_requests_of_tasks_wait_for_a_busy_api_server(balancer, path, host_named):
    if "execution_api" not in balancer[1]:
        pytest.skip("Airflow 2 has none")
    servers = {server["name"]: server["max_requests"] for server in balancer[1]["execution_api"]["servers"]}
    url = f"{own(balancer, 'execution_api')}{path}/execution/health"
    first = host_named(access().model["hosts_of"]["haproxy"][0]["name"])

    def shown(column):
        return {name: int(value or 0) for name, value in statistics(first, "execution_api", column).items()}

    many = 2 * sum(servers.values())
    with ThreadPoolExecutor(many) as clients:
        try:
            for name in servers:
                host_named(name).check_output("systemctl kill --signal=STOP airflow-api-server")
            answers = [clients.submit(ask, url) for _ in range(many)]
            wait_until("requests wait", lambda: shown("qcur")["BACKEND"] > 0, 5, every=0.1)
            held = shown("scur")
        finally:
            for name in servers:
                host_named(name).check_output("systemctl kill --signal=CONT airflow-api-server")
        codes = {answer.result().status_code for answer in answers}
    assert all(held[name] <= most for name, most in servers.items()), held
    # A slow machine may have found them dead meanwhile.
    assert 200 in codes
    assert codes <= {200, 502, 503}
    wait_until("the api-servers are back", lambda: ask(url).status_code == 200, 60)


def test_requests_without_tls_are_sent_to_the_url(balancer, path):
    address, listeners = balancer
    web = listeners["web"]
    answer = ask(f"http://{address}:{web['redirect_from']}{path}/dags?state=failed")
    target = web["access"]["redirect_netloc"] or f"{address}:{web['port']}"
    assert (answer.status_code, answer.headers["Location"]) == (308, f"https://{target}{path}/dags?state=failed")
    assert ask(f"{access().api_url}/version").headers["Strict-Transport-Security"] == "max-age=31536000"


def test_a_redirect_of_airflow_has_scheme_host_and_port_of_the_url(path):
    answer = ask(urlsplit(access().url)._replace(path=login_page(path)).geturl())
    assert (answer.status_code, answer.headers["Location"]) == (308, f"{access().url}{login_page('')}/")


def test_a_trusted_proxy_is_believed(balancer, path, host_named):
    """This machine is the proxy."""
    if not balancer[1]["web"]["access"]["trusted_proxies"]:
        pytest.skip("the scenario trusts no proxy")
    asked = f"{own(balancer)}{login_page(path)}"
    assert ask(asked, **OUTER).headers["Location"] == f"https://outer.example.org{login_page(path)}/"
    answer = ask(asked, **OUTER, **{"X-Forwarded-Port": "444", "X-Forwarded-Prefix": "/elsewhere"})
    assert answer.headers["Location"] == f"https://outer.example.org:444{login_page(path)}/"
    if access().model["version"]["major"] < 3:
        return
    servers = [host_named(host["name"]) for host in access().model["hosts_of"]["webserver"]]
    journal = "journalctl --unit=airflow-api-server --since=-5min --output=cat"
    wait_until(
        "the client is in the log", lambda: any(f"{CLIENT}" in server.check_output(journal) for server in servers), 20
    )


def test_other_clients_are_not_believed(balancer, path, host_named):
    """A host of the cluster asks, which is no trusted proxy."""
    host = host_named(access().model["hosts_of"]["webserver"][0]["name"])
    asked = f"{own(balancer)}{login_page(path)}"
    script = (
        "import http.client, json, ssl, sys, urllib.parse as u; url = u.urlsplit(sys.argv[1]); "
        "c = http.client.HTTPSConnection(url.netloc, context=ssl._create_unverified_context(), timeout=30); "
        "c.request('GET', url.path, headers=json.loads(sys.argv[2])); print(c.getresponse().headers['Location'])"
    )
    spoofed = {**OUTER, "X-Forwarded-For": "198.51.100.78", "X-Forwarded-Port": "444"}
    found = host.check_output("python3 -c %s %s %s", script, asked, json.dumps(spoofed))
    assert found == f"https://inner.example.org{login_page(path)}/"
