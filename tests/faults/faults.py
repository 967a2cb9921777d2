"""What may happen to a cluster, and what it has promised for that case.

Numbers and targets follow the timing budget in docs/reliability.md: seconds without an answer per layer. ``None`` is no
promise.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from cluster import Cluster, inventory, wait
from cluster_access import ansible, recap, wait_until

ROOT = Path(__file__).parents[2]

# Undoes the injected faults, the last first. Every step runs, also after one that failed.
Undo = ExitStack
# Injects the fault, and registers with its second argument how to undo it.
Action = Callable[[Cluster, Undo], None]
# Which host it is when it happens.
Find = Callable[[Cluster], str]


@dataclass
class Fault:
    """One fault, and what is promised for it."""

    name: str
    title: str
    break_it: Action
    # Seconds until the fault is removed.
    hold: float
    # Longest outage in seconds that is allowed, by layer.
    http: float | None = 5
    metastore: float | None = 5
    broker: float | None = 5
    # Longest time in seconds without a new task.
    start: float | None = 60
    # Seconds after which a task is tried again that ran where it was lost; 0 when none may be.
    retry: float | None = None
    # Seconds for which a task may go on where it was cut off.
    stray: float | None = None
    # Seconds between two runs.
    every: float = 4
    # Seconds that a body takes, how many a run has, of which DAG, the most runs that are asked for, and how long their
    # retries may take.
    body_seconds: float = 10
    bodies: int = 2
    dag: str = "flightdeck_ledger"
    runs: float = float("inf")
    finish: float = 240
    # Seconds until the cluster is healthy again, once the fault is removed.
    heal: float = 120
    # Part of every test run, not only of the long one.
    guards: bool = False
    # Hosts that the probes must not run on.
    probe_not_on: Callable[[Cluster], list[str]] = field(default=lambda _cluster: [])

    def problem(self, cluster: Cluster) -> str:
        """What is unhealthy, before the fault and once it is removed; empty when nothing is."""
        return cluster.problem()


def lose_host(find: Find, lose: Callable[[Cluster, str], None], give_back: Callable[[Cluster, str], None]) -> Action:
    """A whole host is down, and starts when the fault is removed."""

    def break_it(cluster: Cluster, undo: Undo) -> None:
        host = find(cluster)
        lose(cluster, host)
        undo.callback(give_back, cluster, host)

    return break_it


def kill_host(find: Find) -> Action:
    """The host's power is cut, and returns when the fault is removed."""
    return lose_host(find, Cluster.kill, Cluster.start)


def pause_host(find: Find) -> Action:
    """Every process of the host is frozen, as a machine that its hypervisor stalls."""
    return lose_host(find, Cluster.pause, Cluster.unpause)


def together(*faults: Action) -> Action:
    """One after the other; the last is removed first."""

    def break_it(cluster: Cluster, undo: Undo) -> None:
        for fault in faults:
            fault(cluster, undo)

    return break_it


def kill_process(find: Find, unit: str, whom: str = "main") -> Action:
    """The unit's process gets SIGKILL; systemd has to start it again."""

    def break_it(cluster: Cluster, _undo: Undo) -> None:
        cluster.signal(find(cluster), unit, "KILL", whom)

    return break_it


def freeze_process(find: Find, unit: str, whom: str = "all") -> Action:
    """The unit's processes are stopped and go on when the fault is removed."""

    def break_it(cluster: Cluster, undo: Undo) -> None:
        host = find(cluster)
        cluster.signal(host, unit, "STOP", whom)
        undo.callback(cluster.signal, host, unit, "CONT", whom)

    return break_it


def stop(cluster: Cluster, undo: Undo, hosts: list[str], unit: str, *options: str) -> None:
    """The unit ends on every host of ``hosts``, as an administrator stops it.

    Those that wait for each other start at the same time.
    """
    for host in hosts:
        cluster.run(host, "systemctl", "stop", *options, unit)
        undo.callback(cluster.run, host, "systemctl", "start", "--no-block", unit)


def kill_postgres(cluster: Cluster, _undo: Undo) -> None:
    """The server that leads dies at once, its keeper stays."""
    cluster.run(cluster.leader(), "sh", "-c", "kill -KILL $(head -n 1 /var/lib/postgresql/*/main/postmaster.pid)")


def switch_over(cluster: Cluster, _undo: Undo) -> None:
    """Another one leads after a switchover."""
    before = cluster.leader()
    ansible(str(ROOT / "playbooks/switchover.yml"), program="ansible-playbook")
    assert cluster.leader() != before, f"{before} still leads"


def part(find: Find, hosts: Callable[[Cluster], Iterable[str]], *ways: str) -> Action:
    """A host and all other ``hosts`` cannot reach each other, or one not the others."""

    def break_it(cluster: Cluster, undo: Undo) -> None:
        host = find(cluster)
        cluster.isolate(host, *(other for other in hosts(cluster) if other != host), ways=ways or ("input", "output"))
        undo.callback(cluster.rejoin, host)

    return break_it


def isolate(find: Find, group: str, *ways: str) -> Action:
    """The host and its peers in a group are parted, while clients still reach all."""
    return part(find, lambda cluster: cluster.hosts(group), *ways)


def cut_off(find: Find) -> Action:
    """The host reaches no other host and cannot be reached; its processes go on until they notice."""
    return part(find, lambda cluster: cluster.nodes)


def reload_balancer(cluster: Cluster, _undo: Undo) -> None:
    """Twenty reloads under load."""
    for _ in range(20):
        cluster.run(cluster.vip_holder(), "systemctl", "reload", "haproxy")
        time.sleep(0.5)


def lose_etcd_majority(cluster: Cluster, undo: Undo) -> None:
    """Two of three etcd members end; the metastore's servers stay."""
    stop(cluster, undo, cluster.hosts("etcd")[:2], "etcd")


def lose_followers(cluster: Cluster, undo: Undo) -> None:
    """No second copy of a write can be made, so none is confirmed."""
    stop(cluster, undo, [host for host in cluster.hosts("metastore") if host != cluster.leader()], "patroni")


def drain_worker(cluster: Cluster, undo: Undo) -> None:
    """A worker is stopped as an administrator does it, while it runs tasks."""
    # A drain takes as long as its longest task.
    stop(cluster, undo, cluster.hosts("worker")[:1], WORKER, "--no-block")


def outlive_token(cluster: Cluster, _undo: Undo) -> None:
    """Tasks run for so long that the token in their messages is no longer valid."""
    validity = cluster.nodes[cluster.hosts("rabbitmq")[0]]["rabbitmq"]["message_ttl_seconds"]
    leeway = cluster.nodes[cluster.hosts("webserver")[0]]["airflow"]["config"]["api_auth"]["jwt_leeway"]
    time.sleep(validity + leeway + 5)


def close_sessions(cluster: Cluster, _undo: Undo) -> None:
    """All sessions with the brokers end."""
    command = ["rabbitmqctl", "--quiet", "close_all_connections", "--vhost=airflow", "a fault"]
    # It fails in the middle when a session ends by itself meanwhile.
    wait_until("all sessions are closed", lambda: cluster.run(cluster.queue_leader(), *command) is not None, 30)


def alarm(cluster: Cluster, undo: Undo) -> None:
    """A broker says that its disk is full; publishers have to wait."""
    host = cluster.queue_leader()
    limit = f"{cluster.nodes[host]['rabbitmq']['disk_free_limit_mb']}MiB"
    cluster.run(host, "rabbitmqctl", "--quiet", "set_disk_free_limit", "1000GiB")
    undo.callback(cluster.run, host, "rabbitmqctl", "--quiet", "set_disk_free_limit", limit)


def exceed_memory(cluster: Cluster, _undo: Undo) -> None:
    """A task takes more memory than its worker may have: its first try dies, and nothing else."""

    def worker_pids() -> dict[str, str]:
        return {
            host: cluster.run(host, "systemctl", "show", "--property=MainPID", WORKER)
            for host in cluster.hosts("worker")
        }

    session, name, before = cluster.session(), f"balloon-{time.time():.0f}", worker_pids()
    url = f"{cluster.access.url}/api/v2/dags/flightdeck_balloon/dagRuns"
    body = {"dag_run_id": name, "logical_date": None, "conf": {"gigabytes": 4}}
    session.post(url, json=body, timeout=10).raise_for_status()

    def problem() -> str:
        [task] = session.get(f"{url}/{name}/taskInstances", timeout=10).json()["task_instances"]
        return (
            ""
            if (task["state"], task["try_number"]) == ("success", 2)
            else f"{task['state']} at try {task['try_number']}"
        )

    wait("the task that took too much ended at its second try", problem, 120)
    assert worker_pids() == before, "a worker was restarted"


def watch_schedulers(cluster: Cluster, undo: Undo) -> None:
    """The metastore's leader is lost, and while it is, every scheduler finds back to work by itself."""
    kill_host(leader)(cluster, undo)
    for host in cluster.hosts("scheduler"):
        undo.callback(cluster.run, host, "/usr/local/bin/airflow-health", "airflow-scheduler")


def cold_start(cluster: Cluster, undo: Undo) -> None:
    """Everything loses its power, and comes back in any order."""
    hosts = list(cluster.access.containers)
    for host in random.sample(hosts, len(hosts)):
        cluster.kill(host)
        undo.callback(cluster.start, host)


def bad_network(cluster: Cluster, undo: Undo) -> None:
    """What the metastore's leader sends arrives late, and one packet of fifty is lost in each direction: no reason
    to change the leader."""
    host = cluster.leader()

    def leads() -> None:
        assert cluster.leader() == host, f"{cluster.leader()} leads instead of {host}"

    undo.callback(leads)
    chains = (
        f"chain {hook} {{ type filter hook {hook} priority -300; numgen random mod 50 < 1 drop; }};"
        for hook in ("input", "output")
    )
    cluster.run(host, "nft", f"table inet nemesis {{ {' '.join(chains)} }}")
    undo.callback(cluster.rejoin, host)
    undo.callback(cluster.delay(host))


def skew(find: Find, unit: str, seconds: int) -> Action:
    """A unit's clock is wrong."""

    def break_it(cluster: Cluster, undo: Undo) -> None:
        host = find(cluster)
        undo.callback(cluster.unskew, host, unit)
        cluster.skew(host, unit, seconds)

    return break_it


def fill_logs(cluster: Cluster, undo: Undo) -> None:
    """A worker can write no logs."""
    host, folder = cluster.hosts("worker")[0], cluster.model["directories"]["log_dir"]
    cluster.fill(host, folder)
    undo.callback(cluster.unfill, host, folder)


# What restarts the brokers, one after the other; in the second form as it was.
RESTART_BROKERS = ("-e", "airflow_max_task_seconds=600000")


def play(*arguments: str) -> dict[str, tuple[int, int]]:
    """A run of site.yml: by host what was done and what changed."""
    return recap(ansible(str(ROOT / "site.yml"), *arguments, program="ansible-playbook", timeout=1200))


def roll_brokers(_cluster: Cluster, undo: Undo) -> None:
    """The play changes a setting for which every broker restarts."""
    undo.callback(play)
    play(*RESTART_BROKERS)


def kill_controller(_cluster: Cluster, undo: Undo) -> None:
    """The play that restarts every broker is killed somewhere; the next one finishes its work, and the one after
    that finds none."""

    def run_again() -> None:
        play()
        left = {host: changed for host, (_ok, changed) in play().items() if changed}
        assert not left, f"the second run after a killed one changed {left}"

    undo.callback(run_again)
    command = ["ansible-playbook", "-i", inventory(), str(ROOT / "site.yml"), *RESTART_BROKERS]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as controller:
        time.sleep(random.uniform(5, 60))
        controller.kill()


def play_with_one_down(cluster: Cluster, undo: Undo) -> None:
    """The play that restarts every broker is started while one is down: nothing may be changed, because the others
    are needed."""
    kill_host(Cluster.standby)(cluster, undo)
    done = ""
    try:
        play(*RESTART_BROKERS)
    except RuntimeError as refused:
        done = str(refused)
    # FD213 when the way to the host still is there, as for a container that is stopped.
    assert "FD212" in done or "FD213" in done, f"the play did not refuse: {done[-2000:]}"
    changed = {name: changed for name, (_ok, changed) in recap(done).items() if changed}
    assert not changed, f"the refused play changed {changed}"


def first(group: str) -> Find:
    """The first host of a group."""
    return lambda cluster: cluster.hosts(group)[0]


def leader(cluster: Cluster) -> str:
    """The metastore's leader."""
    return cluster.leader()


WORKER = "airflow-worker@default"
LOSS = 45.0
# A broker misses a silent peer after 1.25 times net_ticktime, 37.5 s; then the queues' leaders move, and clients come
# back.
SILENCE = 45.0
FAULTS = [
    Fault(
        "F1", "an api-server is killed", kill_process(first("webserver"), "airflow-api-server", "all"), 0, guards=True
    ),
    Fault(
        "F2",
        "a host with api-server and scheduler is lost",
        kill_host(first("webserver")),
        60,
        probe_not_on=lambda c: c.hosts("webserver"),
    ),
    Fault(
        "F3",
        "the host with the virtual IP is lost",
        kill_host(Cluster.vip_holder),
        20,
        http=6,
        metastore=8,
        broker=15,
        guards=True,
    ),
    Fault(
        "F4",
        "HAProxy with the virtual IP is killed",
        kill_process(Cluster.vip_holder, "haproxy", "all"),
        0,
        http=6,
        metastore=8,
        broker=15,
    ),
    Fault("F5", "HAProxy is reloaded 20 times", reload_balancer, 0, http=1, metastore=1, broker=1),
    Fault(
        "F6",
        "the host of the metastore's leader is lost",
        kill_host(leader),
        60,
        http=5,
        metastore=LOSS,
        broker=SILENCE,
        guards=True,
    ),
    Fault(
        "F7",
        "the host of the metastore's leader is frozen",
        pause_host(leader),
        60,
        http=5,
        metastore=LOSS,
        broker=SILENCE,
        heal=240,
        guards=True,
    ),
    Fault("F8", "PostgreSQL is killed where it leads", kill_postgres, 0, metastore=20),
    Fault("F9", "Patroni is killed where it leads", kill_process(leader, "patroni"), 0, metastore=1),
    Fault("F10", "Patroni is frozen where it leads", freeze_process(leader, "patroni", "main"), 60, metastore=30),
    Fault("F11", "the metastore is switched over", switch_over, 0, metastore=8),
    # Airflow writes its audit log in the api-server's event loop: as long as a commit hangs, so does everything that it
    # answers.
    Fault(
        "F12",
        "the metastore's leader is cut off from its peers",
        isolate(leader, "metastore"),
        60,
        http=LOSS,
        metastore=LOSS,
        broker=SILENCE,
        heal=240,
    ),
    Fault(
        "F13",
        "an etcd member is killed",
        kill_process(lambda c: next(h for h in c.hosts("etcd") if h != c.leader()), "etcd"),
        0,
        metastore=1,
    ),
    Fault("F14", "most etcd members are stopped", lose_etcd_majority, 60, metastore=None, start=None),
    Fault(
        "F15", "the follower that confirms writes is lost", kill_host(Cluster.standby), 60, metastore=25, broker=SILENCE
    ),
    Fault("F16", "all followers are lost", lose_followers, 30, http=60, metastore=60, start=None),
    Fault(
        "F17",
        "the broker that leads the queue is killed",
        kill_process(Cluster.queue_leader, "rabbitmq-server", "all"),
        0,
        broker=15,
        guards=True,
    ),
    Fault(
        "F18",
        "the broker that leads the queue is frozen",
        freeze_process(Cluster.queue_leader, "rabbitmq-server"),
        90,
        broker=SILENCE,
        heal=240,
    ),
    # Its host may be the one of the metastore's leader, and then it is F12 as well.
    Fault(
        "F19",
        "the broker that leads the queue is cut off",
        isolate(Cluster.queue_leader, "rabbitmq"),
        60,
        http=LOSS,
        metastore=LOSS,
        broker=SILENCE,
        heal=240,
    ),
    Fault("F20", "the play restarts all brokers", roll_brokers, 0, broker=15, heal=300),
    Fault("F21", "a broker's disk is full", alarm, 60, broker=95, start=None),
    Fault(
        "F22",
        "a worker is lost",
        kill_host(first("worker")),
        400,
        body_seconds=20,
        # So few that the other worker has done them when the lost ones are given to it.
        runs=20,
        start=None,
        # The scheduler misses its heartbeat for 300 s, checks every 10 s, and queues it again.
        retry=330,
        finish=600,
        probe_not_on=lambda c: c.hosts("worker"),
    ),
    Fault(
        "F23",
        "a worker is cut off with tasks that go on",
        cut_off(first("worker")),
        420,
        body_seconds=330,
        runs=3,
        start=None,
        # What the timing budget says, and the seconds of the last row.
        stray=275,
        finish=900,
        probe_not_on=lambda c: c.hosts("worker"),
    ),
    # No try is repeated, not even of those that ran when it was stopped.
    Fault("F24", "a worker is stopped with running tasks", drain_worker, 20, start=30, retry=0),
    # Sessions were seen to end after 70 to 90 s of a drain, which takes 120 s at most here.
    Fault(
        "F24b",
        "a worker is stopped with tasks that go on for long",
        together(outlive_token, drain_worker),
        100,
        body_seconds=235,
        runs=3,
        start=None,
        retry=0,
    ),
    Fault("F25", "a task takes more memory than its worker has", exceed_memory, 0, start=30, retry=0),
    Fault(
        "F26",
        "a scheduler is killed",
        kill_process(first("scheduler"), "airflow-scheduler", "all"),
        0,
        start=15,
        guards=True,
    ),
    # 45 s until the metastore answers, and 30 s for them.
    Fault("F27", "schedulers without the metastore's leader", watch_schedulers, 75, metastore=LOSS, broker=SILENCE),
    Fault("F29", "a worker's clock is 15 s ahead", skew(first("worker"), WORKER, 15), 60, retry=0),
    Fault("F29b", "an api-server's clock is 15 s behind", skew(first("webserver"), "airflow-api-server", -15), 60),
    # The watchdog takes the worker away before the second tries.
    Fault("F30", "a worker's disk for logs is full", fill_logs, 150, dag="flightdeck_ledger_patient", finish=400),
    Fault("F31", "PgBouncer with the virtual IP is killed", kill_process(Cluster.vip_holder, "pgbouncer", "all"), 0),
    Fault(
        "F32",
        "everything is lost and starts in any order",
        cold_start,
        5,
        http=None,
        metastore=None,
        broker=None,
        start=300,
        finish=900,
    ),
    # Every step of a scheduler asks the metastore many times: it goes on, as slowly as the network.
    Fault(
        "F33", "packets of the metastore's leader come late and some never", bad_network, 180, metastore=15, start=None
    ),
    Fault("F34", "the controller is killed in the middle of a play", kill_controller, 0, broker=15, heal=300),
    Fault("F35", "a play begins while a stateful service is down", play_with_one_down, 0, metastore=25, broker=SILENCE),
    Fault(
        "F38",
        "the metastore's leader hears its peers no more",
        isolate(leader, "metastore", "input"),
        60,
        http=LOSS,
        metastore=LOSS,
        broker=SILENCE,
        heal=240,
    ),
    Fault(
        "F39",
        "the peers of the broker that leads the queue hear it no more",
        isolate(Cluster.queue_leader, "rabbitmq", "output"),
        60,
        http=LOSS,
        metastore=LOSS,
        broker=SILENCE,
        heal=240,
    ),
    Fault(
        "F40",
        "all sessions with the brokers end while tasks go on for long",
        together(outlive_token, close_sessions),
        0,
        body_seconds=215,
        runs=3,
        start=None,
        retry=0,
    ),
]
