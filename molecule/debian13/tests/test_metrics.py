"""Prometheus of Debian 13 sees the hosts that joined, and what Patroni and etcd say."""

from __future__ import annotations

import re

import pytest
from cluster_access import wait_until
from prometheus import Prometheus, panels

SERVER = "worker1"
STORES = ("db1", "lb1", "mq1")
PANELS = [pytest.param(text, id=name) for name, text in panels() if re.search(r"\b(patroni|etcd)_", text)]


@pytest.fixture(scope="module")
def server(cluster):
    return Prometheus(cluster, SERVER)


def test_every_target_answers_and_the_new_ones_are_among_them(server):
    wanted = {(job, host) for job in ("patroni", "etcd", "postgresql", "rabbitmq") for host in STORES}
    wanted |= {("node", host) for host in (*STORES, "master1", SERVER)}

    def answer():
        found = server.targets()
        assert wanted <= found.keys()
        return all(found.values())

    wait_until("every target answers", answer, 60)


@pytest.mark.parametrize("text", PANELS)
def test_every_panel_of_patroni_and_etcd_has_data(server, text):
    wait_until(f"{text} has data", lambda: server.query(text), 60)


def test_prometheus_knows_which_host_leads(server):
    leads = '{__name__=~"patroni_master|patroni_primary"} == 1'
    wait_until("one host leads", lambda: len(server.query(leads)) == 1, 60)
    assert {value for _labels, value in server.query("etcd_server_has_leader")} == {1.0}


@pytest.mark.thorough
def test_the_loss_of_etcd_is_seen(server, host_named):
    lost = STORES[0]
    host_named(lost).check_output("systemctl stop etcd.service")
    try:
        wait_until("its alert fires", lambda: ("EtcdDown", lost) in server.firing(), 180)
    finally:
        host_named(lost).check_output("systemctl start etcd.service")
    wait_until("its alert ends", lambda: ("EtcdDown", lost) not in server.firing(), 120)
