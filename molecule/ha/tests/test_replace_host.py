"""Machines with stateful services are lost with their data, and empty ones take their names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cluster import Cluster, wait
from cluster_access import ansible, changes, wait_until

ROOT = Path(__file__).parents[3]
# The first of the inventory, which the other brokers once joined.
LOST = "store1"
REPLACE = ["playbooks/replace_host.yml", "-e", f"airflow_replaced_host={LOST}"]
ETCDCTL = (
    "etcdctl --endpoints https://{address}:2379 --cacert /etc/etcd/airflow-tls/ca.crt --cert "
    "/etc/etcd/airflow-tls/server.crt "
    "--key /etc/etcd/airflow-tls/server.key --write-out=json"
)


def play(playbook, *arguments):
    return ansible(str(ROOT / playbook), *arguments, program="ansible-playbook", timeout=1200)


def etcd(cluster, *command):
    return json.loads(
        cluster.run("store2", *ETCDCTL.format(address=cluster.nodes["store2"]["address"]).split(), *command)
    )


def queues(cluster):
    """Where the quorum queues are, by name."""
    command = [
        "rabbitmqctl",
        "--quiet",
        "list_queues",
        "-p",
        "airflow",
        "name",
        "type",
        "online",
        "--formatter",
        "json",
    ]
    return {
        queue["name"]: sorted(queue["online"])
        for queue in json.loads(cluster.run("store2", *command))
        if "quorum" in queue["type"]
    }


def processes(cluster):
    """Main processes of the stateful services on the remaining hosts."""
    show = ["systemctl", "show", "--property=Id,MainPID", "etcd.service", "patroni.service", "rabbitmq-server.service"]
    return {host: cluster.run(host, *show) for host in ("store2", "store3")}


@pytest.mark.thorough
def test_an_empty_machine_takes_the_place_of_a_lost_one():
    cluster = Cluster()
    wait("all is well", cluster.problem, 120)
    with pytest.raises(RuntimeError, match="FD185"):
        play(*REPLACE)
    before = processes(cluster)
    container = cluster.access.containers[LOST]
    cluster.docker("rm", "--force", "--volumes", container)
    play("molecule/shared/create.yml")
    wait_until("another leads", lambda: cluster.leader() in before, 90)

    with pytest.raises(RuntimeError, match=r"FD221[^┃]*replace_host") as refused:
        play("site.yml")
    assert changes(str(refused.value)) == {}
    with pytest.raises(RuntimeError, match="FD222"):
        play("site.yml", "--limit", LOST)

    play(*REPLACE, "--check", "--diff")
    assert {member["name"] for member in etcd(cluster, "member", "list")["members"]} == {"store1", "store2", "store3"}
    play(*REPLACE)
    assert processes(cluster) == before

    healthy = etcd(cluster, "endpoint", "health", "--cluster")
    assert [entry["health"] for entry in healthy] == [True, True, True]
    # One leads, all others stream from it and lag behind in nothing; all brokers run.
    wait("all is well", cluster.problem, 180)
    followers = "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'"
    assert LOST in cluster.run(cluster.leader(), "psql", "--username=postgres", "-Atc", followers).split()
    assert set(queues(cluster)) >= set(cluster.model["queues"])
    nodes = [f"rabbit@{host}" for host in ("store1", "store2", "store3")]
    wait_until("every queue has a copy on it", lambda: set(map(tuple, queues(cluster).values())) == {tuple(nodes)}, 60)

    assert changes(play("site.yml")) == {}
    wait("all is well", cluster.problem, 120)
    # The canary's tasks run on both workers, and the table says that three of three brokers run.
    assert re.search(r"3 of 3 nodes running", play("playbooks/verify.yml"))
    with pytest.raises(RuntimeError, match="FD185"):
        play(*REPLACE)


RECOVER = ["playbooks/recover_majority.yml", "-e", "airflow_recovered_tiers=etcd,rabbitmq"]
CONFIRMED = ["-e", "airflow_confirm=airflow"]


def refused(code, *arguments):
    """A run that ends with ``code`` and changes nothing."""
    with pytest.raises(RuntimeError, match=code) as error:
        play(*arguments)
    assert changes(str(error.value)) == {}


@pytest.mark.thorough
def test_a_majority_that_is_lost_for_good_is_recovered():
    """Two of the three machines with etcd, RabbitMQ and PostgreSQL; the third one leads."""
    cluster = Cluster()
    wait("all is well", cluster.problem, 120)
    if cluster.leader() != "store3":
        play("playbooks/switchover.yml", "-e", "airflow_switchover_to=store3")
    data = "found data on store1, store2, store3"
    refused(f"FD363 etcd: {data}", *RECOVER, *CONFIRMED)
    refused(f"FD363 rabbitmq: {data}", RECOVER[0], "-e", "airflow_recovered_tiers=rabbitmq", *CONFIRMED)
    refused("FD362", RECOVER[0], "-e", "airflow_recovered_tiers=haproxy", *CONFIRMED)
    runs = "SELECT count(*) FROM dag_run WHERE state = 'success'"
    before = cluster.run("store3", "psql", "--username=postgres", "--dbname=airflow", "-Atc", runs)
    for host in ("store1", "store2"):
        cluster.docker("rm", "--force", "--volumes", cluster.access.containers[host])
    play("molecule/shared/create.yml")

    refused("FD320", *RECOVER)
    said = play(*RECOVER, "--check")
    assert "etcd goes on from the data of store3" in " ".join(said.split())
    play(*RECOVER, *CONFIRMED)

    wait("all is well", cluster.problem, 180)
    assert cluster.leader() == "store3"
    assert cluster.run("store3", "psql", "--username=postgres", "--dbname=airflow", "-Atc", runs) >= before
    assert re.search(r"3 of 3 nodes running", play("playbooks/verify.yml"))
    kept = cluster.run("store3", "sh", "-c", "ls -d /var/lib/etcd/*.before-* /var/lib/rabbitmq/*.before-*")
    assert len(kept.split()) == 2
    assert changes(play("site.yml")) == {}
    refused(f"FD363 etcd: {data}", *RECOVER, *CONFIRMED)
