"""A setting of all metastore servers, and the one that leads, are changed by playbooks, while sessions go on
elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cluster import Cluster
from cluster_access import ansible, changes, wait_until

ROOT = Path(__file__).parents[3]
LOCKS = "max_locks_per_transaction"


def play(playbook, *arguments):
    return ansible(str(ROOT / playbook), *arguments, program="ansible-playbook", timeout=600)


def setting(cluster):
    return {
        host: cluster.run(host, "psql", "--username=postgres", "-Atc", f"SHOW {LOCKS}").strip()
        for host in cluster.hosts("metastore")
    }


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("more", "expected"), [(["-e", json.dumps({"airflow_postgresql_config": {LOCKS: 96}})], "96"), ([], "64")]
)
def test_a_setting_that_needs_a_restart_gets_one_on_every_server(more, expected):
    cluster = Cluster()
    play("site.yml", *more)
    assert set(setting(cluster).values()) == {expected}
    assert changes(play("site.yml", *more)) == {}


def test_the_named_follower_leads():
    cluster = Cluster()
    wait_until("a follower confirms writes", cluster.standby, 60)
    follower = cluster.standby()
    play("playbooks/switchover.yml", "-e", f"airflow_switchover_to={follower}")
    assert cluster.leader() == follower
    with pytest.raises(RuntimeError, match="FD167"):
        play("playbooks/switchover.yml", "-e", f"airflow_switchover_to={follower}")
    assert cluster.leader() == follower
