"""Tasks go through Redis, an external RabbitMQ and Redis, and SQS, on the same hosts; none is lost, none runs twice."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import boto3
import pytest
from cluster_access import changes, release_python, service, wait_until
from dag_runs import DagRuns
from outside import make_ca, make_server, play, run_in, using

INVENTORIES = Path(__file__).parents[1]
OUTSIDE, ADDRESS = "fd-brokers-outside", "172.31.89.99"
WORKERS = ("master1", "worker1")
UNIT = "airflow-worker@default.service"
DAG = "flightdeck_sleep"
# The longest that the inventory allows; half of what a message may be held.
LONG = 60
# Longer than scheduler.task_queued_timeout of inventory_external.
TOO_OLD = 35
PASSWORD = "hunter2/hunter2@hunter2"
KEY = "hunter3/hunter3+hunter3"
# As Celery does, by what is deployed, but for the file of the CA.
LOG_IN = """
import configparser, json, sys
from kombu import Connection
config = configparser.RawConfigParser()
config.read("/etc/airflow/airflow.cfg")
proof = json.loads(config.get("celery", "extra_celery_config"))["broker_use_ssl"]
proof[next(name for name in proof if name.endswith("ca_certs"))] = sys.argv[1]
Connection(sys.stdin.read().strip(), ssl=proof, transport_options={"max_retries": 1}).default_channel
"""
ASK = """
import sys, redis
url, command = sys.stdin.read().split("\\n")[:2]
print(redis.Redis.from_url(url, ssl_ca_certs="/etc/airflow/secrets/ca.crt").execute_command(*command.split()))
"""


class Runs(DagRuns):
    """Runs of the DAG whose tasks sleep."""

    def __init__(self, cluster):
        super().__init__(cluster, DAG)

    def sleeping(self, run):
        return [task for task in self.tasks(run) if task["task_id"] == "sleep" and task["state"] == "running"]

    def outcome(self, run, seconds=180):
        """How the tasks ended: state and number of the try of each."""
        self.end(run, seconds)
        return {(task["state"], task["try_number"]) for task in self.tasks(run)}


@pytest.fixture(scope="module")
def runs(cluster):
    return Runs(cluster)


def tried(container, script, *arguments, stdin):
    """What a client says on a host with Airflow; empty when it succeeds silently."""
    command = release_python(container, script, *arguments)
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.strip() if not done.returncode else done.stderr.strip().splitlines()[-1]


def asked(cluster, command, password=None):
    """What Redis answers through the load balancer."""
    login = quote(password or cluster.secrets["broker_password"], safe="")
    url = f"rediss://airflow:{login}@{cluster.model['nodes']['store']['address']}:5673/0"
    return tried(cluster.containers["worker1"], ASK, stdin=f"{url}\n{command}\n")


def said_by_workers(host_named, since):
    """Their journals since a time."""
    command = ("journalctl --unit=%s --output=cat --no-pager --since=%s", UNIT, f"@{since:.0f}")
    return "".join(host_named(name).check_output(*command) for name in WORKERS)


def given_twice(host_named, since):
    """Ids of messages that workers received more than once since a time."""
    ids = re.findall(r"\[([0-9a-f-]{36})\] received", said_by_workers(host_named, since))
    assert ids
    return sorted({one for one in ids if ids.count(one) > 1})


def test_unauthenticated_clients_may_only_ping_redis(cluster):
    assert asked(cluster, "PING") == "True"
    assert "invalid username-password pair" in asked(cluster, "PING", password="wrong")
    assert "no permissions" in asked(cluster, "CONFIG GET dir")
    container = cluster.containers["worker1"]
    address = cluster.model["nodes"]["store"]["address"]
    unauthenticated = ASK.replace("redis.Redis.from_url(url, ", f"redis.Redis(host='{address}', port=5673, ssl=True, ")
    assert tried(container, unauthenticated, stdin="\nPING\n") == "True"
    assert "no permissions" in tried(container, unauthenticated, stdin="\nLLEN default\n")


def test_redis_keeps_queued_tasks_when_it_is_killed(cluster, runs, host_named):
    for name in WORKERS:
        service(name, UNIT, "stopped")
    waiting = [runs.start(tasks=2, seconds=0) for _ in range(3)]
    wait_until("they are queued", lambda: asked(cluster, "LLEN default") == "3", 60, every=1.0)
    store = host_named("store")
    store.check_output("systemctl kill --signal=KILL redis-server.service")
    wait_until("it is back", lambda: asked(cluster, "LLEN default") == "3", 60, every=1.0)
    # A run whose task is sent while Redis is away waits for it.
    service("store", "redis-server.service", "stopped")
    waiting.append(runs.start(tasks=2, seconds=0))
    wait_until(
        "its task is to be sent",
        lambda: any(task["state"] == "queued" for task in runs.tasks(waiting[-1])),
        60,
        every=1.0,
    )
    service("store", "redis-server.service", "started")
    wait_until("it is sent", lambda: asked(cluster, "LLEN default") == "4", 60, every=1.0)
    for name in WORKERS:
        service(name, UNIT, "started")
    assert [runs.outcome(run) for run in waiting] == [{("success", 1)}] * 4


def test_running_tasks_outlive_a_restart_of_redis(cluster, runs, host_named):
    run = runs.start(tasks=2, seconds=25)
    wait_until("they run", lambda: len(runs.sleeping(run)) == 2, 60, every=1.0)
    host_named("store").check_output("systemctl restart redis-server.service")
    assert runs.outcome(run) == {("success", 1)}
    # Their messages were confirmed after the restart.
    wait_until("nothing is held", lambda: asked(cluster, "ZCARD unacked_index") == "0", 60, every=1.0)


def test_a_long_task_is_given_to_one_worker_by_redis(cluster, runs, host_named):
    for name in WORKERS:
        assert (
            cluster.model["nodes"][name]["airflow"]["config"]["celery_broker_transport_options"]["visibility_timeout"]
            == 2 * LONG
        )
    since = time.time()
    assert runs.outcome(runs.start(tasks=1, seconds=LONG)) == {("success", 1)}
    assert given_twice(host_named, since) == []


@pytest.mark.thorough
def test_a_task_of_a_killed_worker_runs_once_more(runs, host_named):
    """Airflow itself starts the second try; the first one's message comes back from Redis, too, and starts nothing."""
    run = runs.start(tasks=1, seconds=20)
    wait_until("it runs", lambda: runs.sleeping(run), 60, every=1.0)
    (task,) = runs.sleeping(run)
    name = "master1" if task["hostname"].endswith(".11") else "worker1"
    host_named(name).check_output("systemctl kill --signal=KILL %s", UNIT)
    assert runs.outcome(run, seconds=480) == {("success", 1), ("success", 2)}


def test_the_password_of_redis_is_not_rotated():
    with pytest.raises(RuntimeError, match=r"FD172 airflow_rotate"):
        play("playbooks/rotate_secrets.yml", "-e", json.dumps({"airflow_rotate": ["broker_password"]}))


def write(path, *lines):
    """A file outside of the cluster."""
    run_in(
        OUTSIDE,
        "sh",
        "-c",
        f"mkdir --parents $(dirname {path}); cat > {path}; chmod 0644 {path}",
        stdin="\n".join(lines) + "\n",
    )


@pytest.fixture(scope="module")
def ca_file(tmp_path_factory):
    """CA certificate of the external brokers."""
    path = make_ca(tmp_path_factory.mktemp("ca"))
    for name, text in zip(("server.crt", "server.key"), make_server(path, [ADDRESS]), strict=True):
        write(f"/etc/tls/{name}", text)
    return path.read_text()


@pytest.fixture(scope="module")
def rabbitmq(ca_file):
    """An external RabbitMQ: the settings that an inventory needs."""
    files = [f"ssl_options.{kind}file = /etc/tls/server.{end}" for kind, end in (("cert", "crt"), ("key", "key"))]
    write(
        "/etc/rabbitmq/rabbitmq.conf",
        "listeners.tcp = none",
        "listeners.ssl.default = 5671",
        "consumer_timeout = 604800000",
        *files,
    )
    run_in(OUTSIDE, "apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "rabbitmq-server")
    run_in(OUTSIDE, "rabbitmqctl", "await_startup", "--timeout", "120")
    run_in(OUTSIDE, "rabbitmqctl", "add_vhost", "team")
    run_in(OUTSIDE, "rabbitmqctl", "add_user", "team", stdin=f"{PASSWORD}\n")
    run_in(OUTSIDE, "rabbitmqctl", "set_permissions", "--vhost", "team", "team", ".*", ".*", ".*")
    url = f"amqps://team:{quote(PASSWORD, safe='')}@{ADDRESS}:5671/team"
    return {"FLIGHTDECK_BROKER": "rabbitmq", "FLIGHTDECK_BROKER_URL": url, "FLIGHTDECK_BROKER_CA": ca_file}


@pytest.fixture(scope="module")
def redis(ca_file):
    """An external Redis: the settings that an inventory needs."""
    # Where the machine is a container, systemd 252 cannot set that up.
    write("/etc/systemd/system/redis-server.service.d/lab.conf", "[Service]", "ProtectProc=default")
    run_in(OUTSIDE, "apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "redis-server")
    tls = [
        "port 0",
        "tls-port 6380",
        "tls-auth-clients no",
        "tls-cert-file /etc/tls/server.crt",
        "tls-key-file /etc/tls/server.key",
    ]
    tls.append("tls-ca-cert-file /etc/tls/server.crt")
    write(
        "/etc/redis/redis.conf",
        "bind 0.0.0.0",
        "supervised systemd",
        "daemonize no",
        "dir /var/lib/redis",
        f"requirepass {PASSWORD}",
        *tls,
    )
    run_in(OUTSIDE, "systemctl", "restart", "redis-server.service")
    url = f"rediss://:{quote(PASSWORD, safe='')}@{ADDRESS}:6380/3"
    return {"FLIGHTDECK_BROKER": "redis", "FLIGHTDECK_BROKER_URL": url, "FLIGHTDECK_BROKER_CA": ca_file}


def deployed(*arguments):
    """Deploy, verify, and see that nothing is left to do; all that was said."""
    said = play("site.yml", "-vvv", "--diff", *arguments)
    said += play("playbooks/verify.yml")
    again = play("site.yml")
    assert changes(again) == {}
    return said


def check_verification(cluster, url, refusal):
    """By its own CA, not by the cluster's, and by its address, not by another name of it; and it wants the password."""
    container, secrets = cluster.containers["worker1"], "/etc/airflow/secrets"
    assert tried(container, LOG_IN, f"{secrets}/broker_ca.crt", stdin=url) == ""
    assert "certificate verify failed" in tried(container, LOG_IN, f"{secrets}/ca.crt", stdin=url)
    assert "is not valid for" in tried(
        container, LOG_IN, f"{secrets}/broker_ca.crt", stdin=url.replace(ADDRESS, OUTSIDE)
    )
    assert refusal in tried(container, LOG_IN, f"{secrets}/broker_ca.crt", stdin=url.replace("hunter2", "hunter1"))


def outlives(runs, host_named, cut):
    """A task goes on when its message comes to a worker again, with a token that has run out."""
    since = time.time()
    run = runs.start(tasks=1, seconds=LONG)
    wait_until("it runs", lambda: runs.sleeping(run), 60, every=1.0)
    wait_until("its token has run out", lambda: time.time() > since + TOO_OLD, 60, every=1.0)
    cut()
    assert runs.outcome(run) == {("success", 1)}
    assert "its token ran out" in said_by_workers(host_named, since)


def cut_by_rabbitmq():
    """All sessions end. One that ends by itself meanwhile makes the command fail: it is asked again."""

    def problem():
        try:
            run_in(OUTSIDE, "rabbitmqctl", "close_all_connections", "--vhost", "team", "test")
        except RuntimeError as error:
            return str(error)
        return ""

    wait_until("the sessions end", lambda: not problem(), 30, every=1.0)


def cut_by_redis():
    """All sessions end."""
    run_in(
        OUTSIDE,
        "env",
        f"REDISCLI_AUTH={PASSWORD}",
        "redis-cli",
        "--tls",
        "--insecure",
        "-p",
        "6380",
        "CLIENT",
        "KILL",
        "TYPE",
        "normal",
    )


def test_tasks_go_through_an_external_rabbitmq(rabbitmq, host_named):
    with using(INVENTORIES / "inventory_external", **rabbitmq) as cluster:
        said = deployed()
        assert not [part for part in (PASSWORD, rabbitmq["FLIGHTDECK_BROKER_URL"], "hunter2") if part in said]
        assert "hunter2" not in json.dumps(cluster.model)
        queues = run_in(OUTSIDE, "rabbitmqctl", "--quiet", "list_queues", "--vhost", "team", "name", "type")
        assert re.search(r"^default\s+\S*quorum", queues, re.MULTILINE), queues
        runs = Runs(cluster)
        assert runs.outcome(runs.start(tasks=4, seconds=2)) == {("success", 1)}
        url = rabbitmq["FLIGHTDECK_BROKER_URL"]
        check_verification(cluster, url, "ACCESS_REFUSED")
        with pytest.raises(RuntimeError, match=r"FD179 airflow_rotate"):
            play("playbooks/rotate_secrets.yml", "-e", json.dumps({"airflow_rotate": ["broker_password"]}))
        outlives(runs, host_named, cut_by_rabbitmq)
    # An unusable one is reported before a service changes.
    started = [begun_at(host_named(name)) for name in WORKERS]
    with using(
        INVENTORIES / "inventory_external", **{**rabbitmq, "FLIGHTDECK_BROKER_URL": url.replace("hunter2", "hunter1")}
    ):
        with pytest.raises(RuntimeError, match=r"FD187 the broker of airflow_broker_url") as refused:
            play("site.yml")
        assert "hunter1" not in str(refused.value)
        kept = host_named("worker1").run("grep --quiet hunter1 /etc/airflow/secrets/broker_url")
        assert kept.rc == 1
    assert [begun_at(host_named(name)) for name in WORKERS] == started
    # The load balancer has no way to a broker any more.
    assert "listen broker" not in host_named("store").file("/etc/haproxy/haproxy.cfg").content_string


def begun_at(host):
    """When the worker of a host was started."""
    return host.check_output("systemctl show --property=ActiveEnterTimestampMonotonic --value %s", UNIT)


def test_tasks_go_through_an_external_redis(redis, host_named):
    with using(INVENTORIES / "inventory_external", **redis) as cluster:
        assert "hunter2" not in deployed()
        assert "hunter2" not in json.dumps(cluster.model)
        runs = Runs(cluster)
        assert runs.outcome(runs.start(tasks=4, seconds=2)) == {("success", 1)}
        check_verification(cluster, redis["FLIGHTDECK_BROKER_URL"], "invalid username-password pair")
        outlives(runs, host_named, cut_by_redis)


@pytest.fixture(scope="module")
def sqs():
    """A server that speaks the protocol of SQS, on the machine that runs the tests, with one queue."""
    address, port = "172.31.89.1", 9324
    with subprocess.Popen(
        [Path(sys.executable).parent / "moto_server", "-H", address, "-p", str(port)], stderr=subprocess.DEVNULL
    ) as server:
        client = boto3.client(
            "sqs",
            endpoint_url=f"http://{address}:{port}",
            region_name="eu-central-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )
        wait_until("it listens", lambda: socket.socket().connect_ex((address, port)) == 0, 30)
        client.create_queue(QueueName="airflow", Attributes={"VisibilityTimeout": "30"})
        yield client
        server.terminate()


def attributes(client, *names):
    queue = client.get_queue_url(QueueName="airflow")["QueueUrl"]
    return client.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]


def test_tasks_go_through_sqs(sqs, host_named):
    for name in WORKERS:
        profile = f"[flightdeck]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = {KEY}\n"
        keep = (
            "install -d -m 0700 -o airflow -g airflow /var/lib/airflow/.aws && cd /var/lib/airflow/.aws && umask 0077"
        )
        run_in(f"fd-brokers-{name}", "sh", "-c", f"{keep} && cat > credentials", stdin=profile)
    with using(INVENTORIES / "inventory_sqs") as cluster:
        started = [begun_at(host_named(name)) for name in WORKERS]
        # Root alone could read the profile.
        with pytest.raises(RuntimeError, match=r"(?s)FD187 .*ProfileNotFound"):
            play("site.yml")
        for name in WORKERS:
            run_in(f"fd-brokers-{name}", "chown", "airflow:", "/var/lib/airflow/.aws/credentials")
        # The queue would give a running task to a second worker.
        with pytest.raises(RuntimeError, match=r"FD187 .*gives\s+a\s+message\s+to\s+a\s+second\s+worker"):
            play("site.yml")
        assert [begun_at(host_named(name)) for name in WORKERS] == started
        queue = sqs.get_queue_url(QueueName="airflow")["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "120"})
        deployed()
        runs = Runs(cluster)
        since = time.time()
        several, long = runs.start(tasks=4, seconds=2), runs.start(tasks=1, seconds=LONG)
        assert [runs.outcome(several), runs.outcome(long)] == [{("success", 1)}] * 2
        assert given_twice(host_named, since) == []
        # Celery made no queue, and every message is confirmed.
        assert [url.rpartition("/")[2] for url in sqs.list_queues()["QueueUrls"]] == ["airflow"]
        kinds = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        wait_until("nothing is held", lambda: set(attributes(sqs, *kinds).values()) == {"0"}, 30, every=1.0)
        # Workers drain as with any broker.
        run = runs.start(tasks=1, seconds=20)
        wait_until("it runs", lambda: runs.sleeping(run), 60, every=1.0)
        play("playbooks/stop.yml", "--limit", ",".join(WORKERS))
        play("playbooks/start.yml")
        assert runs.outcome(run) == {("success", 1)}
    with using(INVENTORIES / "inventory_sqs", FLIGHTDECK_SQS_KEY=KEY) as cluster:
        for name in WORKERS:
            run_in(f"fd-brokers-{name}", "rm", "--recursive", "/var/lib/airflow/.aws")
        said = play("site.yml", "-vvv", "--diff")
        assert "hunter3" not in said
        assert "hunter3" not in json.dumps(cluster.model)
        assert runs.outcome(runs.start(tasks=4, seconds=2)) == {("success", 1)}


def test_the_way_back_is_the_same(runs):
    deployed()
    assert runs.outcome(runs.start(tasks=4, seconds=2)) == {("success", 1)}
