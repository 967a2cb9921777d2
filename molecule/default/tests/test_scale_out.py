"""A worker joins by inventory, runs its task, and leaves again; no other host changes or restarts anything."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import BY_NAME, COMPONENTS
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.airflow import unit_patterns
from cluster_access import ansible, recap

ROOT = Path(__file__).parents[3]
MORE = str(ROOT / "molecule/default/inventory_scale_out")
OTHERS_TASKS = 40
# Of a run that changes nothing.
MOST_LINES = 75
# Components that two hosts had once, with a secret of theirs, and a file that is not ours.
UNIT = """[Service]
ExecStart=/usr/bin/sleep infinity
Restart=always
[Install]
WantedBy=multi-user.target
"""
HAD = {"worker1": "airflow-dag-processor", "db1": "airflow-worker@gpu"}
SECRET, OTHER = "/etc/airflow/secrets/scheduler_conn", "/etc/airflow/secrets/not_ours"


def play(playbook, *arguments):
    return ansible("-i", MORE, str(ROOT / playbook), *arguments, program="ansible-playbook", timeout=600)


def processes(cluster, host_named):
    """Main process of every service of ours on every host."""
    units = [pattern for service in ("haproxy", "rabbitmq", "metastore") for pattern in BY_NAME[service].units]
    units += [pattern for component in COMPONENTS for pattern in unit_patterns(component)]
    show = "systemctl show --property=Id,MainPID " + " ".join(f"'{unit}'" for unit in units)
    return {name: host_named(name).run(show).stdout for name in cluster.model["nodes"]}


def check_processes(before, cluster, host_named):
    """Each process is the one it was; what ended says why."""
    after = processes(cluster, host_named)
    ended = {}
    for name in before:
        if before[name] != after[name]:
            restarts = (
                host_named(name)
                .run("journalctl --no-pager --lines=40 -u 'airflow-restart@*' -u 'airflow-watchdog@*'")
                .stdout
            )
            services = (
                host_named(name)
                .run("journalctl --no-pager --lines=60 -u 'airflow-*' -g 'xception|died|exited|Stopp|Start'")
                .stdout
            )
            ended[name] = f"{before[name]}\n{after[name]}\n{restarts}\n{services}"
    assert not ended, "\n".join(ended.values())


@pytest.fixture(scope="module", autouse=True)
def machine():
    """A bare third worker."""
    play("molecule/shared/create.yml")


def test_a_worker_joins(cluster, host_named):
    before = processes(cluster, host_named)
    started = time.monotonic()
    deployed = recap(play("site.yml", "--limit", "worker3"))
    verified = play("playbooks/verify.yml")
    seconds = time.monotonic() - started
    assert re.search(r"worker3\s+ok\s+\d+ of \d+ tasks", verified), verified[-3000:]
    others = sum(ok for host, (ok, _changed) in deployed.items() if host != "worker3")
    print(f"first task of worker3 after {seconds:.0f} s, {others} task executions on other hosts")
    assert others <= OTHERS_TASKS
    check_processes(before, cluster, host_named)


def test_the_others_learn_the_name_and_no_more(cluster, host_named):
    before = processes(cluster, host_named)
    output = play("site.yml")
    everything = recap(output)
    # An operator reads it to the end, where it says how to reach the cluster. A host has one line.
    # Without DNS, every host learns the name for /etc/hosts. Hosts do so at different times, and each time the task's
    # name is printed again, after an empty line.
    lines = {line for line in output.splitlines() if line and not line.startswith("changed: ")}
    banners = {line for line in lines if line.startswith(("PLAY ", "TASK "))}
    assert len(lines) + len(banners) - len(everything) <= MOST_LINES, output
    end = "\n".join(output.splitlines()[-16 - len(everything) :])
    assert (
        f"UI        {cluster.url}\n" in end
        and f"login     {cluster.user}\n" in end
        and "password  airflow_admin_password, in " in end
    )
    assert cluster.password not in output
    assert {host: changed for host, (_ok, changed) in everything.items() if changed} == dict.fromkeys(
        cluster.model["nodes"], 1
    )
    check_processes(before, cluster, host_named)


def test_a_run_for_one_backing_host_goes_on_without_airflow_hosts(cluster, host_named):
    before = processes(cluster, host_named)
    alone = recap(play("site.yml", "--limit", "db1"))
    assert [host for host, (_ok, changed) in alone.items() if changed] == []
    check_processes(before, cluster, host_named)


def test_what_left_goes_and_no_other_service_notices(cluster, host_named):
    """A worker that leaves the inventory, and components that hosts have no more."""
    before = processes(cluster, host_named)
    for name, unit in HAD.items():
        host = host_named(name)
        host.check_output("mkdir --parents /etc/airflow/secrets")
        host.check_output("printf %%s %s > %s", UNIT, f"/etc/systemd/system/{unit}.service")
        # The mark of a unit that the roles have written.
        host.check_output(f"mkdir /etc/systemd/system/{unit}.service.d")
        host.check_output(f"printf '[Service]\\n' > /etc/systemd/system/{unit}.service.d/zz-flightdeck.conf")
        host.check_output(f"systemctl daemon-reload && systemctl enable --now {unit}.service")
        host.check_output(f"touch {SECRET} {OTHER}")
    # As an operator does it: running tasks finish, then the machine goes, and its line in the inventory.
    play("playbooks/stop.yml", "--limit", "worker3")
    subprocess.run(["docker", "rm", "--force", "--volumes", "fd-default-worker3"], check=True, capture_output=True)
    output = ansible(str(ROOT / "site.yml"), program="ansible-playbook", timeout=600)
    # All forget its name, the load balancer's firewall does not admit it any more, the components' units and secrets
    # go; that is all.
    expected = {host: 1 + {"lb1": 1, **dict.fromkeys(HAD, 2)}.get(host, 0) for host in cluster.model["nodes"]}
    assert {host: changed for host, (_ok, changed) in recap(output).items() if changed} == expected, output
    check_processes(before, cluster, host_named)
    for name, unit in HAD.items():
        host = host_named(name)
        assert host.run(f"ls --directory /etc/systemd/system/{unit}.service*").rc != 0
        assert (host.file(SECRET).exists, host.file(OTHER).exists) == (False, True)
        host.check_output(f"rm {OTHER}; rmdir --ignore-fail-on-non-empty /etc/airflow/secrets")
