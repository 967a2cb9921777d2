"""Every port that a service opens has its rule, and nobody else gets in."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils import _cluster, _firewall
from test_cluster import defaults, reference, single

# Ports that services of a host open for others; a new one must be added to the matrix.
LISTENING = {
    "db1": {5432},
    "mq1": {4369, 5671, 15671, 15692, 25672, "35672-35682"},
    "lb1": {1936, 5000, 5673, 8080, 8082, 8405, 8443},
    "master1": {8081, 8794},
    "worker1": {8793},
}


def nodes(hosts, **changes):
    return _cluster.build(hosts, defaults(airflow_firewall=True, **changes))["nodes"]


@pytest.mark.parametrize(("name", "ports"), LISTENING.items())
def test_every_port_has_one_rule(name, ports):
    found = [rule["port"] for rule in nodes(reference())[name]["firewall"]["rules"]]
    assert (len(found), set(found)) == (len(ports), ports)


def test_one_host_in_every_group_has_all_of_them():
    (node,) = nodes(single()).values()
    assert {rule["port"] for rule in node["firewall"]["rules"]} == set().union(*LISTENING.values())


def test_who_may_connect():
    found = nodes(reference())
    rules = {(name, rule["port"]): rule["sources"] for name, node in found.items() for rule in node["firewall"]["rules"]}
    assert rules["db1", 5432] == ["192.0.2.10"]
    assert rules["mq1", 25672] == ["192.0.2.141", "192.0.2.142", "192.0.2.143"]
    assert rules["lb1", 8443] == []
    assert rules["lb1", 5673] == ["192.0.2.11", "192.0.2.12", "192.0.2.21", "192.0.2.22"]
    assert rules["worker1", 8793] == ["192.0.2.11", "192.0.2.12"]
    # Nobody, unless somebody is named.
    assert rules["lb1", 1936] == ["127.0.0.1"]
    assert rules["lb1", 8405] == ["192.0.2.11", "192.0.2.12"]
    named = nodes(reference(), airflow_firewall_admin_sources=["198.51.100.0/24"])["lb1"]["firewall"]["rules"]
    assert next(rule for rule in named if rule["port"] == 1936)["sources"] == ["198.51.100.0/24"]


def test_without_tls_other_ports_are_open():
    found = nodes(reference(), airflow_tls=False)
    assert {rule["port"] for rule in found["mq1"]["firewall"]["rules"]} == {4369, 5672, 15672, 15692, 25672, "35672-35682"}
    assert {rule["port"] for rule in found["lb1"]["firewall"]["rules"]} == {1936, 5000, 5673, 8080, 8082, 8405}


def test_the_rules_name_families_and_a_digest():
    hosts = [*reference(), _cluster.Host("lb2", frozenset({"haproxy"}), "2001:db8::2")]
    text = _firewall.ruleset(nodes(hosts)["db1"]["firewall"])
    assert "ip saddr { 192.0.2.10 } tcp dport 5432 accept" in text
    assert "ip6 saddr { 2001:db8::2 } tcp dport 5432 accept" in text
    assert "flush ruleset" not in text
    other = _firewall.ruleset(nodes(reference())["db1"]["firewall"])
    assert text.split("chain digest_")[1][:12] != other.split("chain digest_")[1][:12]


@pytest.mark.skipif(not shutil.which("nft"), reason="nft is not installed on this machine; the scenarios load the rules for real")
def test_nft_understands_the_rules(tmp_path):
    path = tmp_path / "rules.nft"
    path.write_text(_firewall.ruleset(nodes(reference(), airflow_firewall_extra_rules=["tcp dport 9100 accept"])["lb1"]["firewall"]))
    done = subprocess.run(["nft", "--check", "--file", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),
        ({"airflow_firewall_ssh_sources": ["10.0.0.0/8", "2001:db8::/32"]}, []),
        ({"airflow_firewall_admin_sources": ["10.0.0.300"]}, ["FD151"]),
        ({"airflow_firewall_ssh_ports": []}, ["FD152"]),
        ({"airflow_firewall_ssh_ports": [0, 70000]}, ["FD152", "FD152"]),
    ],
)
def test_bad_input(changes, codes):
    problems = _cluster.check(reference(), defaults(airflow_firewall=True, **changes))
    assert [problem.code for problem in problems] == codes


def test_names_are_no_addresses():
    hosts = [_cluster.Host(one.name, one.groups, f"{one.name}.example.org", one.queues) for one in reference()]
    assert {problem.code for problem in _cluster.check(hosts, defaults(airflow_firewall=True))} == {"FD150"}
    assert _cluster.check(hosts, defaults()) == []
