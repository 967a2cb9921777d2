"""One broker becomes three by inventory, without a restart of the first and with every queue on all of them."""

from __future__ import annotations

from pathlib import Path

import requests
from cluster_access import ansible, wait_until

ROOT = Path(__file__).parents[3]
MORE = str(ROOT / "molecule/airflow2/inventory_growth")
NODES = ["rabbit@db1", "rabbit@lb1", "rabbit@mq1"]


def play(playbook):
    return ansible("-i", MORE, str(ROOT / playbook), program="ansible-playbook", timeout=900)


def queues(cluster):
    """Members of Airflow's queues that are in step, by queue."""
    node = cluster.model["nodes"]["mq1"]
    url = f"https://{node['address']}:{node['rabbitmq']['management_tls_port']}/api/queues/airflow"
    answer = requests.get(url, auth=("admin", cluster.secrets["rabbitmq_admin_password"]), timeout=30)
    return {
        queue["name"]: sorted(queue["online"]) for queue in answer.json() if queue["name"] in cluster.model["queues"]
    }


def test_one_broker_becomes_three(cluster, host_named):
    first = "systemctl show --property=MainPID rabbitmq-server.service"
    before = host_named("mq1").check_output(first)
    play("site.yml")
    assert host_named("mq1").check_output(first) == before
    wait_until(
        "every queue has three members",
        lambda: queues(cluster) == dict.fromkeys(cluster.model["queues"], NODES),
        120,
        every=1.0,
    )
    play("playbooks/verify.yml")
