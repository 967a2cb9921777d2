"""Every port that a service opens has its rule, and no other client is admitted."""

from __future__ import annotations

import dataclasses
import re
import subprocess

import pytest
from ansible_collections.flightdeck.airflow.plugins.filter.services import firewall_peers, firewall_ruleset
from ansible_collections.flightdeck.airflow.plugins.module_utils import _host
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog import services, versions
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import hosts as hosts_model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import ports
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.contract import Queue
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._render import nftables
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import inventory
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cluster import defaults, plain, reference, single

# Ports that services of a host open for others; a new one must be added to the matrix.
LISTENING = {
    "db1": {5432},
    "mq1": {4369, 5671, 15671, 15692, 25672, "35672-35682"},
    "lb1": {1936, 5000, 5673, 8080, 8082, 8405, 8443},
    "master1": {8081, 8794},
    "worker1": {8793},
}


def nodes(hosts, **changes):
    return plain(hosts, defaults(airflow_firewall=True, **changes))["nodes"]


@pytest.mark.parametrize(("name", "ports"), LISTENING.items())
def test_every_port_has_one_rule(name, ports):
    found = [rule["port"] for rule in nodes(reference())[name]["firewall"]["rules"]]
    assert (len(found), set(found)) == (len(ports), ports)


def test_one_host_in_every_group_has_all_of_them():
    (node,) = nodes(single()).values()
    assert {rule["port"] for rule in node["firewall"]["rules"]} == set().union(*LISTENING.values())


def test_who_may_connect():
    found = nodes(reference())
    rules = {
        (name, rule["port"]): rule["sources"] for name, node in found.items() for rule in node["firewall"]["rules"]
    }
    assert rules["db1", 5432] == ["192.0.2.10"]
    assert rules["mq1", 25672] == ["192.0.2.141", "192.0.2.142", "192.0.2.143"]
    assert rules["lb1", 8443] == []
    assert rules["lb1", 5673] == ["192.0.2.11", "192.0.2.12", "192.0.2.21", "192.0.2.22"]
    assert rules["worker1", 8793] == ["192.0.2.11", "192.0.2.12"]
    # None, unless one is named.
    assert rules["lb1", 1936] == ["127.0.0.1"]
    assert rules["lb1", 8405] == ["192.0.2.11", "192.0.2.12"]
    named = nodes(reference(), airflow_firewall_admin_sources=["198.51.100.0/24"])["lb1"]["firewall"]["rules"]
    assert next(rule for rule in named if rule["port"] == 1936)["sources"] == ["198.51.100.0/24"]


def test_without_tls_other_ports_are_open():
    found = nodes(reference(), airflow_tls=False)
    assert {rule["port"] for rule in found["mq1"]["firewall"]["rules"]} == {
        4369,
        5672,
        15672,
        15692,
        25672,
        "35672-35682",
    }
    assert {rule["port"] for rule in found["lb1"]["firewall"]["rules"]} == {1936, 5000, 5673, 8080, 8082, 8405}


def test_the_rules_name_families_and_touch_nothing_else():
    hosts = [*reference(), hosts_model.Host("lb2", frozenset({"haproxy"}), "2001:db8::2")]
    text = firewall_ruleset(nodes(hosts)["db1"]["firewall"])
    assert "ip saddr { 192.0.2.10 } tcp dport 5432 accept" in text
    assert "ip6 saddr { 2001:db8::2 } tcp dport 5432 accept" in text
    assert "flush ruleset" not in text
    assert set(re.findall(r"table \S+ \w+", text)) == {f"table inet {_host.FIREWALL_TABLE}"}


def test_nft_understands_the_rules(tmp_path):
    path = tmp_path / "rules.nft"
    path.write_text(
        firewall_ruleset(nodes(reference(), airflow_firewall_extra_rules=["tcp dport 9100 accept"])["lb1"]["firewall"])
    )
    done = subprocess.run(["nft", "--check", "--file", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("addresses", "matches"),
    [
        ([], [""]),
        (["10.1.2.3", "10.1.0.0/16", "10.0.0.0/8", "192.0.2.1"], ["ip saddr { 10.0.0.0/8, 192.0.2.1 } "]),
        (["2001:db8::1", "192.0.2.1"], ["ip saddr { 192.0.2.1 } ", "ip6 saddr { 2001:db8::1 } "]),
        (["0.0.0.0/0", "192.0.2.1", "2001:db8::/32"], ["meta nfproto ipv4 ", "ip6 saddr { 2001:db8::/32 } "]),
        (["192.0.2.1/32"], ["ip saddr { 192.0.2.1 } "]),
    ],
)
def test_addresses_are_matched_by_family_and_do_not_overlap(addresses, matches):
    assert nftables._match(addresses) == matches


@st.composite
def clusters(draw):
    """Clusters in which a host is in any number of groups."""
    groups = draw(st.lists(st.sets(st.sampled_from(services.GROUPS), min_size=1), min_size=1, max_size=6))
    groups[0] = groups[0] | set(services.GROUPS) - set().union(*groups)
    # The repository of backups is apart from what it holds.
    groups = [[*(each - {"backup"})] for each in groups] + [["backup"]]
    queues = (Queue(name="default"),)
    addresses = ["192.0.2.{}", "2001:db8::{}"]
    return [
        hosts_model.Host(
            f"host{number}",
            frozenset(each),
            draw(st.sampled_from(addresses)).format(number),
            queues if "worker" in each else (),
        )
        for number, each in enumerate(groups, start=1)
    ]


@given(clusters(), st.booleans(), st.sampled_from(versions.TESTED_VERSIONS))
@settings(max_examples=60)
def test_a_port_is_open_once_and_only_for_named_clients(hosts, tls, version):
    values = defaults(airflow_firewall=True, airflow_tls=tls, airflow_version=version)
    model = plain(hosts, values)
    members = {group: {member["address"] for member in found} for group, found in model["hosts_of"].items()}
    for name, node in model["nodes"].items():
        host = next(host for host in hosts if host.name == name)
        matrix = [port for port in ports.open_ports(host, values, ports.conditions(hosts, values)) if port.peers]
        assert len({port.number for port in matrix}) == len(matrix), name
        for rule, told in zip(matrix, node["firewall"]["rules"], strict=True):
            if "users" in rule.peers:
                assert told["sources"] == []
                continue
            named = set().union(*(members[peer] for peer in rule.peers if peer != "admins"))
            assert set(told["sources"]) == (named or {"127.0.0.1"})
        # Nothing is accepted without a source but what everybody may have.
        text = firewall_ruleset(node["firewall"])
        free = {int(port) for port in re.findall(r"^ +tcp dport (\d+) accept", text, re.MULTILINE)}
        assert free == {22} | {port.number for port in matrix if "users" in port.peers}


def own_ports(share):
    """Every port in a service's share of the model that is not one of a server behind it."""
    if isinstance(share, list):
        return {port for entry in share for port in own_ports(entry)}
    if not isinstance(share, dict):
        return set()
    found = {int(value) for key, value in share.items() if key in ("port", "redirect_from") or key.endswith("_port")}
    return found.union(
        *(
            own_ports(value)
            for key, value in share.items()
            if key not in ("servers", "config", "server_port", "firewall")
        )
    )


@given(clusters(), st.booleans(), st.booleans(), st.sampled_from(versions.TESTED_VERSIONS))
@settings(max_examples=60)
def test_every_port_that_the_model_gives_a_service_is_one_of_its_hosts_in_the_catalogue(hosts, tls, pgbouncer, version):
    values = defaults(airflow_tls=tls, airflow_pgbouncer=pgbouncer, airflow_version=version)
    model = plain(hosts, values)
    # Of the other way of encryption.
    unused = set() if tls else {values.ports["airflow_rabbitmq_management_tls_port"]}
    for name, node in model["nodes"].items():
        listed = {port["port"] for port in node["ports"]}
        shares = (
            node[service] for service in ("metastore", "rabbitmq", "redis", "haproxy", "pgbouncer") if service in node
        )
        listeners = set().union(
            *(own_ports({**share, "check_port": 0} if isinstance(share, dict) else share) for share in shares)
        )
        assert listeners - unused - {0, services.PATRONI_PORT} <= listed, name


def test_a_port_has_conditions_that_there_are():
    every = [port for service in services.SERVICES for port in service.ports]
    named = {condition for port in every for condition in (*port.when, *(name for name, _peer in port.peers_when))}
    named |= {condition for service in services.SERVICES for condition in service.needs}
    assert named <= {*services.CONDITIONS, *services.OPTIONAL}


def test_a_new_worker_concerns_the_load_balancer_only():
    before, after = nodes(reference(2)), nodes(reference(3))
    changed = [name for name in before if before[name]["firewall"] != after[name]["firewall"]]
    assert changed == ["lb1"]
    assert firewall_peers(after, ["worker3"]) == ["lb1"]


@pytest.mark.parametrize(
    ("run", "peers"),
    [
        (["mq3"], ["mq1", "mq2"]),
        (["mq3", "mq1"], ["mq2"]),
        (["master2"], ["lb1", "master1", "worker1", "worker2"]),
        (["lb1"], ["master1", "master2", "db1", "mq1", "mq2", "mq3"]),
        (["db1"], []),
    ],
)
def test_who_has_to_admit_the_hosts_of_a_limited_run(run, peers):
    assert firewall_peers(nodes(reference()), run) == peers


def test_a_rule_of_ones_own_is_for_its_host():
    hosts = [
        dataclasses.replace(one, firewall_extra_rules=("tcp dport 9100 accept",)) if one.name == "db1" else one
        for one in reference()
    ]
    texts = {name: firewall_ruleset(node["firewall"]) for name, node in nodes(hosts).items()}
    assert [name for name, text in texts.items() if "tcp dport 9100 accept" in text] == ["db1"]


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),
        ({"airflow_firewall_ssh_sources": ["10.0.0.0/8", "2001:db8::/32"]}, []),
        ({"airflow_firewall_admin_sources": ["10.0.0.300"]}, ["FD151"]),
        ({"airflow_firewall_ssh_ports": []}, ["FD152"]),
        ({"airflow_firewall_ssh_ports": [0, 70000]}, ["FD152", "FD152"]),
        ({"airflow_firewall_user_sources": ["192.0.2.7/24", "everybody"]}, ["FD151", "FD151"]),
    ],
)
def test_bad_input(changes, codes):
    problems = inventory.check(reference(), defaults(airflow_firewall=True, **changes))
    assert [problem.code for problem in problems] == codes


def test_names_are_no_addresses():
    hosts = [hosts_model.Host(one.name, one.groups, f"{one.name}.example.org", one.queues) for one in reference()]
    assert {problem.code for problem in inventory.check(hosts, defaults(airflow_firewall=True))} == {"FD150"}
    assert inventory.check(hosts, defaults()) == []


def test_a_network_with_a_hosts_address_is_two_things():
    changes = {"airflow_firewall_admin_sources": ["198.51.100.7/24"]}
    (problem,) = inventory.check(reference(), defaults(airflow_firewall=True, **changes))
    assert str(problem) == (
        "FD151 airflow_firewall_admin_sources: found '198.51.100.7/24'; expected 198.51.100.7 or 198.51.100.0/24. "
        "Write the one that you mean."
    )


@pytest.mark.parametrize(
    ("rule", "codes"),
    [
        ("tcp dport 9100 accept", []),
        ("ip saddr { 192.0.2.1, 192.0.2.2 } udp dport { 53, 123 } accept", []),
        ('tcp dport 80 accept comment "a; b }"', []),
        ("", ["FD154"]),
        ("accept\n}\nflush ruleset", ["FD154"]),
        ("accept; }", ["FD154"]),
        ("} flush ruleset {", ["FD154"]),
    ],
)
def test_a_rule_of_ones_own_is_one_line(rule, codes):
    hosts = [
        dataclasses.replace(one, firewall_extra_rules=(rule,)) if one.name == "db1" else one for one in reference()
    ]
    assert [problem.code for problem in inventory.check(hosts, defaults(airflow_firewall=True))] == codes


def test_the_port_that_ansible_uses_stays_open():
    hosts = [dataclasses.replace(one, ssh_port=2222) for one in reference()]
    (problem,) = inventory.check(hosts, defaults(airflow_firewall=True))
    assert str(problem) == (
        "FD153 airflow_firewall_ssh_ports: found 22; expected 2222 among them, the ansible_port of lb1, master1, "
        "master2 and 6 more. "
        "Add it, also where it is only forwarded to sshd's own port: nothing listens there then."
    )
    assert inventory.check(hosts, defaults(airflow_firewall=True, airflow_firewall_ssh_ports=[22, 2222])) == []
    assert inventory.check(hosts, defaults()) == []
