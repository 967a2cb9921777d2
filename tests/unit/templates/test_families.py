"""Files of services that differ in a cluster with IPv6 addresses, rendered as Ansible does it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from test_cluster import available, defaults, moved, plain

ROLES = Path(__file__).parents[3] / "roles"
V4 = plain(available(), defaults(airflow_vip="192.0.2.100/24"))
V6 = plain(moved(available()), defaults(airflow_vip="2001:DB8::100/64"))
PLAIN = plain(moved(available()), defaults(airflow_vip="2001:db8::100/64", airflow_tls=False))
FACTS = {
    "flightdeck_system": {"distribution_major_version": "12", "memtotal_mb": 4096},
    "flightdeck_interfaces": {"192.0.2.8": "eth0", "2001:db8::8": "eth0"},
    "flightdeck_stores": {"rabbitmq": {"new": True, "empty": [], "source": ""}},
}


def rendered(role, template, host, model):
    """A template of a role on a host."""
    loader = DataLoader()
    loader.set_basedir(str(ROLES / role / "templates"))
    values = loader.load_from_file(str(ROLES / role / "vars/main.yml"), trusted_as_template=True)
    values |= {
        "airflow_cluster": model,
        "inventory_hostname": host,
        "ansible_managed": "Managed",
        "ansible_facts": FACTS,
        "ansible_search_path": [str(ROLES / role)],
    }
    return Templar(loader, values).template(trust_as_template((ROLES / role / "templates" / template).read_text()))


@pytest.mark.parametrize(
    ("model", "distribution", "inetrc"),
    [(V4, "-proto_dist inet_tls", False), (V6, "-proto_dist inet6_tls", True), (PLAIN, "inet6_tcp", True)],
)
def test_brokers_reach_each_other_in_the_family_of_their_addresses(model, distribution, inetrc):
    text = rendered("rabbitmq", "etc/rabbitmq/rabbitmq-env.conf.j2", "db1", model)
    lines = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    assert distribution in lines["INTER_NODE"]
    assert (
        lines["SERVER_ADDITIONAL_ERL_ARGS"]
        == lines["CTL_ERL_ARGS"]
        == ('"$INTER_NODE $IPV6"' if inetrc else '"$INTER_NODE"')
    )
    assert lines.get("IPV6") == ("\"-kernel inetrc '/etc/rabbitmq/erl_inetrc'\"" if inetrc else None)


def test_without_ipv6_and_tls_erlang_has_no_arguments():
    text = rendered(
        "rabbitmq", "etc/rabbitmq/rabbitmq-env.conf.j2", "db1", plain(available(), defaults(airflow_tls=False))
    )
    assert "ERL_ARGS" not in text


@pytest.mark.parametrize(("model", "vip"), [(V4, "192.0.2.100/24"), (V6, "2001:db8::100/64 preferred_lft 0")])
def test_a_virtual_ip_of_ipv6_is_no_source_of_connections(model, vip):
    text = rendered("keepalived", "etc/keepalived/keepalived.conf.j2", "lb1", model)
    lines = [line.strip() for line in text.splitlines()]
    assert vip in lines
    assert f"unicast_src_ip {model['nodes']['lb1']['address']}" in lines
    assert model["nodes"]["lb2"]["address"] in lines


def test_etcd_has_addresses_in_brackets():
    text = rendered("etcd", "etc/etcd/airflow.conf.j2", "db1", V6)
    assert "ETCD_LISTEN_CLIENT_URLS=https://[2001:db8::131]:2379\n" in text
    assert "ETCD_LISTEN_PEER_URLS=https://[2001:db8::131]:2380\n" in text


def test_patroni_has_addresses_in_brackets_and_postgresql_admits_them():
    found = yaml.safe_load(rendered("metastore", "etc/patroni/airflow/patroni.yml.j2", "db1", V6))
    assert found["restapi"]["listen"] == "[2001:db8::131]:8008"
    assert found["postgresql"]["connect_address"] == "[2001:db8::131]:5432"
    assert found["etcd"]["hosts"][1] == "[2001:db8::132]:2379"
    lines = "\n".join(found["postgresql"]["pg_hba"])
    assert " 2001:db8::8/128 scram-sha-256" in lines
    assert "hostssl replication replicator 2001:db8::132/128 scram-sha-256" in lines


def test_the_hosts_file_has_addresses_as_they_are():
    text = rendered("airflow", "etc/hosts.j2", "db1", V6)
    assert "2001:db8::131 db1\n" in text
