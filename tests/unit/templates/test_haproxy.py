"""haproxy.cfg as Ansible renders it: where it listens, and what it does with requests."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from test_cluster import defaults, moved, plain, reference

ROLE = Path(__file__).parents[3] / "roles/haproxy"


def rendered(hosts=None, ipv6=True, **changes):
    """haproxy.cfg of the first load balancer."""
    loader = DataLoader()
    values = loader.load_from_file(str(ROLE / "vars/main.yml"), trusted_as_template=True)
    values |= {
        "airflow_cluster": plain(hosts or reference(), defaults(**changes)),
        "inventory_hostname": "lb1",
        "ansible_managed": "Managed",
        "ansible_facts": {"flightdeck_system": {"ipv6": ipv6}},
        "ansible_search_path": [str(ROLE)],
    }
    loader.set_basedir(str(ROLE / "templates"))
    text = (ROLE / "templates/etc/haproxy/haproxy.cfg.j2").read_text()
    return Templar(loader, values).template(trust_as_template(text))


def section(text, name):
    """Lines of a listener."""
    (found,) = re.findall(rf"^(?:listen|frontend) {name}\n((?: .*\n|\n)*)", text, re.MULTILINE)
    return [line.strip() for line in found.splitlines() if line.strip() and not line.strip().startswith("#")]


@pytest.mark.parametrize("tls", [True, False])
def test_every_port_is_open_in_both_families_where_the_kernel_has_both(tls):
    def ports(text, address):
        return sorted(re.findall(rf"bind {re.escape(address)}:(\d+)", text))

    both, one = (rendered(airflow_tls=tls, ipv6=ipv6) for ipv6 in (True, False))
    assert ports(both, "*") == ports(both, "[::]") == ports(one, "*")
    assert "[::]" not in one
    # Else it could not be bound beside the first one.
    assert both.count("[::]") == both.count("v6only")


def test_servers_with_ipv6_addresses_stand_in_brackets():
    assert "server master1 [2001:db8::11]:8081 ssl" in rendered(moved(reference()))


def test_a_path_is_in_checks_and_rules():
    text = rendered(airflow_url="https://Example.org:443/airflow/")
    web, execution = (section(text, name) for name in ("web", "execution_api"))
    assert "http-request redirect code 302 location /airflow/ if { path / /airflow }" in web
    assert (
        'http-request deny deny_status 403 if { path,url_dec -m reg "^/+(airflow/+execution|execution)(/|\\$)" }' in web
    )
    assert 'http-request deny deny_status 403 unless { path,url_dec -m reg "^/+(airflow)(/|\\$)" }' in web
    assert (
        'http-request deny deny_status 403 unless { path,url_dec -m reg "^/+(airflow/+execution)(/|\\$)" }' in execution
    )
    assert any("uri /airflow/execution/health " in line for line in execution)


def test_people_are_sent_to_webservers_whose_execution_api_answers():
    """A process that has answered a person stops for seconds at its first request for the execution API."""
    text = rendered()
    web = [line for line in section(text, "web") if "check" in line]
    assert [line.split()[-3:] for line in web] == [
        ["no-check", "track", f"execution_api/{name}"] for name in ("master1", "master2")
    ]
    # A server that follows another one is up for HAProxy, whatever that one is.
    assert "srv_is_up(execution_api/master1)" in text
    assert "srv_is_up(web/" not in text
    text = rendered(airflow_version="2.11.2")
    web = section(text, "web")
    assert any("uri /api/v1/version " in line for line in web)
    assert not any("track" in line for line in web)
    assert "srv_is_up(web/master1)" in text


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({}, "https://%[req.hdr(host),host_only]:8443%[pathq]"),
        (
            {"airflow_haproxy_https_port": 443, "airflow_haproxy_web_port": 80},
            "https://%[req.hdr(host),host_only]%[pathq]",
        ),
        # A mapped port that is the one without TLS here.
        ({"airflow_url": "https://127.0.0.1:8080"}, "https://%[req.hdr(host),host_only]:8443%[pathq]"),
        ({"airflow_url": "https://airflow.example.org"}, "https://airflow.example.org%[pathq]"),
        ({"airflow_url": "https://airflow.example.org:9443/a"}, "https://airflow.example.org:9443%[pathq]"),
    ],
)
def test_a_redirect_goes_to_the_url_that_is_set(changes, target):
    assert f"http-request redirect code 308 location {target} unless {{ ssl_fc }}" in section(
        rendered(**changes), "web"
    )


@pytest.mark.parametrize(
    ("changes", "strict"),
    [
        ({}, True),
        ({"airflow_tls": False}, False),
        ({"airflow_tls": False, "airflow_url": "https://airflow.example.org"}, True),
        ({"airflow_tls": False, "airflow_url": "http://airflow.example.org"}, False),
    ],
)
def test_only_a_url_with_tls_is_declared_to_have_it_for_good(changes, strict):
    assert ("Strict-Transport-Security" in rendered(**changes)) is strict


def test_headers_of_proxies_count_only_where_these_are_trusted():
    assert "x-forwarded-for" not in rendered()
    web = section(rendered(airflow_trusted_proxies=["192.0.2.1", "2001:db8::/64"]), "web")
    assert "acl trusted_1 src 192.0.2.1 2001:db8::/64" in web
    (last,) = (number for number, line in enumerate(web) if line == "http-request del-header x-forwarded- -m beg")
    # They are read before they are removed.
    assert all(number < last for number, line in enumerate(web) if "req.hdr" in line)
    assert "expect-proxy" not in "".join(web)
    both = rendered(airflow_trusted_proxies=["192.0.2.1"], airflow_proxy_protocol=True)
    assert "tcp-request connection expect-proxy layer4 if { src 192.0.2.1 }" in section(both, "web")


def test_the_time_of_a_request_is_that_of_the_variable():
    web = section(rendered(airflow_haproxy_web_timeout_seconds=300), "web")
    assert {"timeout client 300s", "timeout server 300s"} <= set(web)


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({}, 10),
        ({"airflow_webserver_workers": 3}, 30),
        # As many more as there are more sessions.
        ({"airflow_config": {"database": {"sql_alchemy_pool_size": 20}}}, 20),
        ({"airflow_config": {"database": {"sql_alchemy_pool_size": 1, "sql_alchemy_max_overflow": 0}}}, 1),
        # No more than threads.
        ({"airflow_config": {"database": {"sql_alchemy_max_overflow": 95}}}, 40),
        # Without a limit of sessions there is none of requests.
        ({"airflow_config": {"database": {"sql_alchemy_max_overflow": -1}}}, None),
    ],
)
def test_an_api_server_gets_no_more_requests_of_tasks_than_it_has_sessions(changes, limit):
    text = rendered(**changes)
    for name, wanted in (("execution_api", limit), ("web", None)):
        servers = [line for line in section(text, name) if line.startswith("server ")]
        found = [re.findall(r" maxconn (\d+)$", line) for line in servers]
        assert found == [[] if wanted is None else [str(wanted)]] * 2


def test_load_balancers_of_workers_share_what_an_api_server_gets():
    hosts = [
        dataclasses.replace(host, groups=host.groups | {"haproxy"}) if "worker" in host.groups else host
        for host in reference(3)
    ]
    servers = [line for line in section(rendered(hosts), "execution_api") if line.startswith("server ")]
    assert [line.rpartition(" ")[2] for line in servers] == ["3", "3"]


@pytest.mark.parametrize(("timeout", "queue"), [(None, 4), (30, 29), (0.5, 1)])
def test_a_request_that_waits_is_refused_before_its_client_leaves(timeout, queue):
    changes = {} if timeout is None else {"airflow_config": {"workers": {"execution_api_timeout": timeout}}}
    text = rendered(**changes)
    assert f"timeout queue {queue}s" in section(text, "execution_api")
    assert not any(line.startswith("timeout queue") for line in section(text, "web"))


def test_the_sessions_of_a_component_may_be_its_own():
    hosts = [
        dataclasses.replace(
            host, component_environment={"webserver": {"AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW": "40"}}
        )
        if host.name == "master2"
        else host
        for host in reference()
    ]
    first, second = (line for line in section(rendered(hosts), "execution_api") if line.startswith("server "))
    assert first.endswith(" maxconn 10") and second.endswith(" maxconn 30")
