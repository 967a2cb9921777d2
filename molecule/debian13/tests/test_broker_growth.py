"""RabbitMQ grows from one node to three by inventory, under tasks that run, and every queue gets its members."""

from __future__ import annotations

import re
from pathlib import Path

import requests
from cluster_access import ansible, recap, wait_until

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
    return {queue["name"]: sorted(queue["online"]) for queue in answer.json() if queue["name"] in cluster.model["queues"]}


def test_one_broker_becomes_three(cluster, host_named):
    before = host_named("mq1").check_output("systemctl show --property=MainPID rabbitmq-server.service")
    play("site.yml")
    assert host_named("mq1").check_output("systemctl show --property=MainPID rabbitmq-server.service") == before
    wait_until("every queue has three members", lambda: all(members == NODES for members in queues(cluster).values()), 60, every=1.0)
    play("playbooks/verify.yml")


def test_the_cluster_works_with_two_of_them(cluster, host_named):
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
    wait_until("the node is back", lambda: all(members == NODES for members in queues(cluster).values()), 90, every=1.0)


def test_nothing_is_left_to_do():
    assert [host for host, (_ok, changed) in recap(play("site.yml")).items() if changed] == []
