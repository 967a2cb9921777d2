"""Hosts leave the cluster for good: refused where the rest cannot do without, and gone everywhere afterwards."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
import requests
from cluster_access import access, ansible, changes, inventory, wait_until
from interrupt import kill_runs
from load import Load

ROOT = Path(__file__).parents[3]
AFTER = str(ROOT / "molecule/operations/inventory_after")
SWAP = str(ROOT / "molecule/operations/inventory_swap")
CONFIRMED = ("-e", "airflow_confirm=airflow")
# Runs that are killed before the one that ends, and seconds that a whole one takes.
KILLS = 5 if os.environ.get("FLIGHTDECK_THOROUGH") else 1
LONGEST = 200


def play(name, *arguments, timeout=900):
    return ansible(str(ROOT / f"{name}.yml"), *arguments, program="ansible-playbook", timeout=timeout)


def remove(host, *arguments):
    return play("playbooks/remove_host", "-e", f"airflow_removed_host={host}", *arguments)


def members(host="master1"):
    """Role of each metastore host, as Patroni says."""
    url = f"https://{access().model['nodes'][host]['address']}:8008/cluster"
    return {member["name"]: member["role"] for member in requests.get(url, timeout=10).json()["members"]}


def leader():
    return next((name for name, role in members().items() if role == "leader"), "")


def switch_to(host):
    """Let ``host`` lead. Only the follower that confirms writes may take over, which the third server is afterwards."""
    for _attempt in range(3):
        if leader() == host:
            return
        wait_until("one confirms writes", lambda: "sync_standby" in members().values(), 60)
        named = ("-e", f"airflow_switchover_to={host}") if members()[host] == "sync_standby" else ()
        play("playbooks/switchover", *named)
    assert leader() == host


def refused(host, *arguments):
    """What a refused removal says; nothing was changed. The files on the controller note another inventory when they
    meet it."""
    with pytest.raises(RuntimeError) as error:
        remove(host, *arguments)
    assert set(changes(str(error.value))) <= ({"master1"} if SWAP in arguments else set())
    return " ".join(str(error.value).split())


def test_without_the_name_of_the_cluster_nothing_happens():
    assert "FD320 airflow_confirm: found nothing" in refused("worker2")


@pytest.mark.parametrize(
    ("hosts", "says"),
    [
        ("worker9", ["FD325 airflow_removed_host: found worker9"]),
        ("", ["FD325 airflow_removed_host: found nothing"]),
        # Two of three members tolerate no failure more than one.
        ("worker1", ["FD325", "FD102 group airflow_rabbitmq: found 2", "FD103", "FD156 group airflow_etcd: found 2"]),
        ("master1,master2", ["FD325", "FD101 group airflow_scheduler"]),
    ],
)
def test_what_the_rest_cannot_do_without_stays(hosts, says):
    text = refused(hosts, *CONFIRMED)
    assert [code for code in says if code not in text] == []


def test_a_leader_of_the_metastore_stays():
    switch_to("worker1")
    text = refused("worker1", "-i", SWAP, *CONFIRMED)
    assert "FD328 host worker1: found the leader of the metastore" in text
    assert "flightdeck.airflow.switchover" in text
    play("playbooks/switchover")
    assert leader() in ("master1", "master2")


def test_a_removal_without_a_majority_is_refused(host_named):
    """master2 does not run: without worker1 one of two would."""
    node = host_named("master2")
    node.check_output("systemctl stop rabbitmq-watchdog.timer rabbitmq-server.service")
    try:
        text = refused("worker1", "-i", SWAP, *CONFIRMED)
    finally:
        node.check_output("systemctl start rabbitmq-server.service rabbitmq-watchdog.timer")
    assert "removing rabbit@worker1 leaves 1 of 3 running: no majority" in text
    wait_until("the node is back", lambda: play("playbooks/status"), 90, every=2.0)


def test_check_mode_changes_nothing(host_named):
    remove("worker1", "-i", SWAP, "--check", "--diff")
    assert not host_named("worker1").file("/etc/airflow/drained").exists
    assert set(members()) == {"master1", "master2", "worker1"}
    play("playbooks/verify")


def test_one_host_takes_the_place_of_another(cluster, host_named):
    """worker1 has a member of etcd, RabbitMQ and Patroni, a load balancer and a worker; worker2 gets all of them. Runs
    that were killed anywhere are run again."""
    arguments = ("-i", SWAP, *CONFIRMED)
    playbook = str(ROOT / "playbooks/remove_host.yml")
    killed = ["ansible-playbook", "-i", inventory(), playbook, "-e", "airflow_removed_host=worker1", *arguments]
    with Load(cluster, seconds=15) as load:
        kill_runs(killed, 20, LONGEST, times=KILLS)
        began = time.monotonic()
        output = remove("worker1", *arguments)
        print(f"the last run took {time.monotonic() - began:.0f} s")
    assert load.failures == []
    assert set(load.tasks()) == {"success after 1"}
    text = " ".join(output.split())
    assert "Delete its lines in the inventory, in airflow_etcd, airflow_haproxy, airflow_metastore" in text
    assert re.search(r"Its task logs are in /var/log/airflow", text)
    gone = host_named("worker1")
    for path in (
        "/etc/airflow/secrets",
        "/etc/etcd/airflow-tls",
        "/etc/haproxy/airflow-tls",
        "/etc/rabbitmq/airflow-tls",
    ):
        assert gone.run(f"find {path} -type f").stdout == ""
    for unit in ("etcd", "patroni", "rabbitmq-server", "haproxy", "airflow-worker@default"):
        assert gone.run(f"systemctl is-active {unit}").stdout.strip() != "active"
    address = cluster.model["nodes"]["worker1"]["address"]
    assert address not in host_named("master1").check_output("nft list ruleset")
    assert address not in host_named("master1").check_output("cat /etc/haproxy/haproxy.cfg")
    wait_until("three servers", lambda: set(members()) == {"master1", "master2", "worker2"}, 60)


def test_a_second_removal_does_nothing():
    output = remove("worker1", "-i", SWAP, *CONFIRMED)
    # The files on the controller know the host while the run lasts.
    assert set(changes(output)) <= {"master1"}


def test_the_host_is_refused_as_long_as_it_is_in_the_inventory():
    with pytest.raises(RuntimeError, match=r"1 problem found[^┃]*FD328") as error:
        play("site")
    # The files on the controller note the inventory.
    assert set(changes(str(error.value))) <= {"master1"}


def test_nothing_is_left_to_do_without_its_lines(monkeypatch):
    """What an operator deletes."""
    monkeypatch.setenv("FLIGHTDECK_INVENTORY", AFTER)
    assert set(changes(play("site"))) <= {"master1"}
    play("playbooks/verify")
