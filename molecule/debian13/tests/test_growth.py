"""One metastore becomes three by inventory, with all that is in it, and then one host may be lost."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import requests
from cluster_access import access, ansible, changes, recap, wait_until

ROOT = Path(__file__).parents[3]
MORE = str(ROOT / "molecule/debian13/inventory_growth")
NODES = ["rabbit@db1", "rabbit@lb1", "rabbit@mq1"]


def play(playbook, *arguments):
    return ansible("-i", MORE, str(ROOT / playbook), *arguments, program="ansible-playbook", timeout=600)


def queues(cluster):
    """Members of Airflow's queues that are in step, by queue."""
    node = cluster.model["nodes"]["mq1"]
    url = f"https://{node['address']}:{node['rabbitmq']['management_tls_port']}/api/queues/airflow"
    answer = requests.get(url, auth=("admin", cluster.secrets["rabbitmq_admin_password"]), timeout=10)
    return {
        queue["name"]: sorted(queue["online"]) for queue in answer.json() if queue["name"] in cluster.model["queues"]
    }


def in_step(cluster):
    """Whether every queue has all its members."""
    return queues(cluster) == dict.fromkeys(cluster.model["queues"], NODES)


def runs(host_named):
    """DAG runs that the metastore knows."""
    return host_named("db1").check_output(
        "psql --username=postgres --dbname=airflow --no-align --tuples-only --command='TABLE dag_run'"
    )


def members(cluster):
    """Role of each metastore host, as Patroni says."""
    url = f"https://{cluster.model['nodes']['db1']['address']}:8008/cluster"
    return {member["name"]: member["role"] for member in requests.get(url, timeout=10).json()["members"]}


def leader_of(cluster):
    """The metastore host that leads; mq1 as long as no other one does."""
    return next((host for host, role in members(cluster).items() if role == "leader"), "mq1")


def test_adding_hosts_alone_is_refused_for_a_metastore():
    with pytest.raises(RuntimeError, match=r"FD208[^┃]*grow_metastore") as refused:
        play("site.yml")
    assert {host: changed for host, (_ok, changed) in recap(str(refused.value)).items() if changed} == {}


def test_one_metastore_becomes_three(cluster, host_named):
    play("playbooks/stop.yml")
    known = runs(host_named)
    broker = host_named("mq1").check_output("systemctl show --property=MainPID rabbitmq-server.service")
    play("playbooks/grow_metastore.yml")
    assert host_named("mq1").check_output("systemctl show --property=MainPID rabbitmq-server.service") == broker
    assert known
    assert runs(host_named) == known
    assert in_step(cluster)
    wait_until(
        "the new hosts follow",
        lambda: sorted(members(cluster).values()) == ["leader", "quorum_standby", "quorum_standby"],
        60,
    )
    assert members(cluster)["db1"] == "leader"
    play("playbooks/start.yml")
    play("playbooks/verify.yml")


def test_a_follower_takes_the_place_of_the_leader(cluster):
    play("playbooks/switchover.yml", "-e", "airflow_switchover_to=mq1")
    wait_until("it leads", lambda: members(cluster).get("mq1") == "leader", 30)
    play("playbooks/verify.yml")


def test_a_leader_that_was_frozen_overwrites_nothing(cluster, host_named):
    container = access().containers["mq1"]
    psql = "psql --username=postgres --dbname=airflow --no-align --tuples-only --command=%s"
    subprocess.run(["docker", "pause", container], check=True, stdout=subprocess.DEVNULL)
    try:
        wait_until("another leads", lambda: leader_of(cluster) != "mq1", 120)
        leader = leader_of(cluster)
        write = "DROP TABLE IF EXISTS confirmed; CREATE TABLE confirmed AS SELECT 1 AS one"
        wait_until("it takes writes", lambda: host_named(leader).run(psql, write).rc == 0, 30)
    finally:
        subprocess.run(["docker", "unpause", container], check=True, stdout=subprocess.DEVNULL)
    wait_until("it follows", lambda: members(cluster).get("mq1") == "quorum_standby", 120)
    assert members(cluster)[leader] == "leader"
    assert host_named(leader).check_output(psql, "TABLE confirmed") == "1"
    host_named(leader).check_output(psql, "DROP TABLE confirmed")
    wait_until("the broker is back", lambda: in_step(cluster), 240, every=1.0)


def test_the_cluster_works_with_two_brokers(cluster, host_named):
    host_named("mq1").check_output("systemctl stop rabbitmq-server.service")
    try:
        broken = ""
        try:
            play("playbooks/verify.yml")
        except RuntimeError as error:
            broken = str(error)
        # The table names the node that is down; tasks ran all the same.
        assert re.search(r"^(rabbitmq)? +mq1 +failed", broken, re.MULTILINE), broken
        assert re.search(r"^canary default +worker1 +ok", broken, re.MULTILINE), broken
    finally:
        host_named("mq1").check_output("systemctl start rabbitmq-server.service")
    wait_until("the node is back", lambda: in_step(cluster), 90, every=1.0)


def test_nothing_is_left_to_do():
    assert changes(play("site.yml", "--check", "--diff")) == {}
