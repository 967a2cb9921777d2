"""The collection leaves the hosts: last, on what test_remove_host.py left of the cluster."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from cluster_access import ansible, changes
from interrupt import kill_runs

ROOT = Path(__file__).parents[3]
AFTER = str(ROOT / "molecule/operations/inventory_after")
HOSTS = ("master1", "master2", "worker2")
CONFIRMED = ("-e", "airflow_confirm=airflow")
DATA = ("-e", "airflow_remove_data=airflow")
KILLS = 5 if os.environ.get("FLIGHTDECK_THOROUGH") else 2
# Where Debian, or who made the machine, has put nothing of these names.
PLACES = "/etc /opt /root /run /srv /usr/local"
KEPT = (
    "/var/lib/airflow",
    "/var/log/airflow",
    "/var/lib/etcd/airflow",
    "/var/lib/postgresql/15/main",
    "/var/lib/rabbitmq/mnesia",
)


@pytest.fixture(autouse=True)
def after(monkeypatch):
    monkeypatch.setenv("FLIGHTDECK_INVENTORY", AFTER)


def play(name, *arguments, timeout=600):
    return ansible(str(ROOT / f"{name}.yml"), *arguments, program="ansible-playbook", timeout=timeout)


def uninstall(*arguments):
    return play("playbooks/uninstall", *arguments)


def refused(*arguments):
    """What a refused run says; nothing was changed."""
    with pytest.raises(RuntimeError) as error:
        uninstall(*arguments)
    assert changes(str(error.value)) == {}
    return " ".join(str(error.value).split())


def named(host):
    """Files by whose name or content something of the collection is known; not Debian's copies of former accounts."""
    names = host.check_output(rf"find {PLACES} -xdev \( -name '*airflow*' -o -name '*flightdeck*' \)")
    search = "grep --recursive --files-with-matches --binary-files=without-match --devices=skip --exclude='*-'"
    inside = host.run(f"{search} -e airflow -e flightdeck {PLACES}")
    return sorted({*names.split(), *inside.stdout.split()})


def kept(host):
    return [path for path in KEPT if host.file(path).exists]


def test_without_the_name_of_the_cluster_nothing_happens():
    assert "FD320 airflow_confirm: found nothing" in refused()
    assert "FD360 airflow_remove_data: found yes" in refused(*CONFIRMED, "-e", "airflow_remove_data=yes")


def test_check_mode_shows_what_would_go_and_removes_nothing(host_named):
    output = uninstall("--check", "--diff", *DATA)
    for shown in ("stop airflow-scheduler.service", "/etc/haproxy/haproxy.cfg", "/etc/flightdeck/firewall.nft"):
        assert shown in output
    assert host_named("master1").service("airflow-scheduler").is_running
    assert kept(host_named("master1")) == list(KEPT)


def test_nothing_but_data_is_left(cluster, host_named):
    """One host does not answer, and is left out by its name."""
    away = cluster.containers["worker2"]
    subprocess.run(["docker", "pause", away], check=True, capture_output=True)
    try:
        output = " ".join(uninstall(*CONFIRMED, "--limit", "all:!worker2").split())
    finally:
        subprocess.run(["docker", "unpause", away], check=True, capture_output=True)
    assert "Not in this run, with all that they have: worker2" in output
    for name in ("master1", "master2"):
        assert named(host_named(name)) == []
        assert kept(host_named(name)) == list(KEPT)
    assert host_named("worker2").service("haproxy").is_running


def test_a_run_that_was_killed_anywhere_is_run_again(host_named):
    """What is left of the cluster is on one host; on the others there is nothing to do."""
    command = ["ansible-playbook", "-i", AFTER, str(ROOT / "playbooks/uninstall.yml"), *CONFIRMED]
    kill_runs(command, 8, 40, times=KILLS)
    began = time.monotonic()
    output = " ".join(uninstall(*CONFIRMED).split())
    print(f"the last run took {time.monotonic() - began:.0f} s")
    assert "No host has anything of the collection any more" in output
    assert {name: named(host_named(name)) for name in HOSTS} == {name: [] for name in HOSTS}
    assert changes(uninstall(*CONFIRMED)) == {}


def test_what_is_left_is_named(host_named):
    host_named("master1").check_output("touch /usr/local/sbin/flightdeck-mine")
    try:
        with pytest.raises(RuntimeError, match="FD361 host master1: found /usr/local/sbin/flightdeck-mine"):
            uninstall(*CONFIRMED)
    finally:
        host_named("master1").check_output("rm /usr/local/sbin/flightdeck-mine")


def test_data_go_when_their_cluster_is_named_twice(host_named):
    uninstall(*CONFIRMED, *DATA)
    assert {name: kept(host_named(name)) for name in HOSTS} == {name: [] for name in HOSTS}


@pytest.mark.thorough
def test_the_hosts_are_as_good_as_new_then():
    play("site")
    play("playbooks/verify")
