"""flightdeck-scheduler-lease in a cluster in singleton mode, and the rights of its account."""

from __future__ import annotations

import json
import re
import socketserver
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cluster_access import ansible, wait_until

ROOT = Path(__file__).parents[3]
PYTHON = "/opt/airflow/current/bin/python"

# A client that sends the user of its host's scheduler, and never its password. Past PgBouncer, like agents.
HOLD = """
import socket, ssl, struct
from urllib.parse import urlsplit
names = ("scheduler_conn", "scheduler_lease_conn")
user, url = (urlsplit(open(f"/etc/airflow/secrets/{name}").read()) for name in names)
plain = socket.create_connection((url.hostname, url.port), timeout=120)
plain.sendall(struct.pack("!ii", 8, 80877103))
assert plain.recv(1) == b"S"
trust = ssl.create_default_context(cafile="/etc/airflow/secrets/ca.crt")
session = trust.wrap_socket(plain, server_hostname=url.hostname)
said = b"".join(word.encode() + bytes(1) for word in ("user", user.username, "database", url.path[1:], ""))
session.sendall(struct.pack("!ii", 8 + len(said), 196608) + said)
assert session.recv(1) == b"R"
print("asked for the password", flush=True)
while session.recv(4096):
    pass
print("ended", flush=True)
"""


@pytest.fixture
def schedulers(cluster):
    return [host["name"] for host in cluster.model["hosts_of"]["scheduler"]]


@pytest.fixture
def ask(host_named, schedulers):
    """Exit code and answer of a command, on the first scheduler host unless another is named."""

    def call(*arguments, host=""):
        words = " ".join(["%s"] * len(arguments))
        done = host_named(host or schedulers[0]).run(f"flightdeck-scheduler-lease --json {words}", *arguments)
        return done.rc, json.loads(done.stdout)

    return call


@pytest.fixture
def roles(ask, schedulers):
    """The active host and the standby."""
    wait_until("one is active, the other is standby", lambda: ask("status")[0] == 0, 120, every=1.0)
    active = ask("status")[1]["leader"]
    return active, next(host for host in schedulers if host != active)


def sql(host, secret, statement):
    """Result of a statement as the user in a secret file, which is read on the host."""
    script = (
        "import sys, psycopg2\n"
        "url = open('/etc/airflow/secrets/' + sys.argv[1]).read().replace('postgresql+psycopg2:', 'postgresql:')\n"
        "connection = psycopg2.connect(url); connection.autocommit = True; cursor = connection.cursor()\n"
        "cursor.execute(sys.argv[2]); print(cursor.fetchone()[0] if cursor.description else '')"
    )
    return host.run(f"{PYTHON} -c %s %s %s", script, secret, statement)


class Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as one client needs."""

    def handle(self):
        self.say("220 sink")
        while line := self.rfile.readline().decode().strip():
            word = line[:4].upper()
            if word == "DATA":
                self.say("354 go on")
                self.server.got.append("".join(iter(lambda: self.rfile.readline().decode(), ".\r\n")))
            self.say("221 bye" if word == "QUIT" else "250 ok")
            if word == "QUIT":
                break

    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())


class Hook(BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    def do_POST(self):
        self.server.got.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_arguments):
        """Nothing."""


@pytest.fixture
def receivers(cluster):
    """What a mail server and a web server got."""
    network = cluster.model["nodes"]["master1"]["address"].rpartition(".")[0]
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    mail = socketserver.ThreadingTCPServer((f"{network}.1", 2588), Mail)
    hook = HTTPServer((f"{network}.1", 2589), Hook)
    for server in (mail, hook):
        server.got = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield mail.got, hook.got
    for server in (mail, hook):
        server.shutdown()
        server.server_close()


def processes(host):
    """Main processes of schedulers; none of the shell that looks for them."""
    looked = (
        "for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $f 2>/dev/null | grep -q '[a]irflow scheduler *$' && "
        "echo $f; done; true"
    )
    return host.check_output(looked).split()


def test_one_is_active_and_every_host_says_so(roles, ask, host_named, schedulers):
    active, standby = roles
    for host in schedulers:
        code, found = ask("status", host=host)
        assert (code, found["status"], found["leader"], found["valid"]) == (0, "ok", active, True)
        assert ask("is_scheduler_running", host=host)[1]["running"] == {active: True, standby: False}
        assert ask("get_current_host", host=host) == (0, {"status": "ok", "host": host})
        assert {ask(command, host=host)[0] for command in ("init", "test_connection", "metadata", "version")} == {0}
    assert processes(host_named(active))
    assert not processes(host_named(standby))
    assert "is the leader" in host_named(standby).check_output("airflow-health airflow-scheduler")
    assert "heartbeat" in host_named(active).check_output("airflow-health airflow-scheduler")


def test_only_the_leader_can_log_in(roles, host_named):
    active, standby = roles
    logged_in = sql(host_named(active), "scheduler_conn", "SELECT session_user || ' ' || current_user")
    assert logged_in.stdout.split() == [f"airflow_sched_{active}", "airflow"]
    refused = sql(host_named(standby), "scheduler_conn", "SELECT 1")
    assert refused.rc != 0
    assert "airflow_sched_" not in refused.stdout


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*) FROM task_instance",
        "SELECT count(*) FROM connection",
        "SELECT count(*) FROM scheduler_lease.lease",
        "SELECT scheduler_lease.revoke_logins()",
        "SELECT count(*) FROM pg_authid",
        "ALTER ROLE airflow PASSWORD 'mine'",
        "ALTER ROLE airflow_sched_master1 LOGIN",
        "SET ROLE airflow",
        "CREATE TABLE public.mine ()",
        "CREATE ROLE mine",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'airflow'",
    ],
)
def test_the_agents_account_can_do_nothing_else(statement, host_named, schedulers):
    refused = sql(host_named(schedulers[0]), "scheduler_lease_conn", statement)
    assert refused.rc != 0
    assert re.search("permission denied|must be|not allowed", refused.stderr, re.IGNORECASE), refused.stderr


def test_no_login_is_granted_beside_an_active_scheduler(roles, ask, host_named):
    active, _standby = roles
    statement = f"SELECT scheduler_lease.activate('{active}', {ask('metadata')[1]['epoch']})"
    refused = sql(host_named(active), "scheduler_lease_conn", statement)
    assert "a scheduler has a session" in refused.stderr
    assert ask("status")[0] == 0


def test_a_session_that_is_being_admitted_does_not_outlive_its_epoch(cluster, roles, ask):
    """It is in no list of sessions, and its check of the login may be over."""
    active, standby = roles
    command = ["docker", "exec", cluster.containers[active], PYTHON, "-c", HOLD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdout.readline() == "asked for the password\n"
        assert ask("switchover", standby)[0] == 0
        assert session.communicate(timeout=60)[0] == "ended\n"


def test_metadata_of_a_valid_lease_are_not_cleared(roles, ask):
    code, found = ask("clear_metadata", "--yes")
    assert (code, found["status"]) == (2, "critical")
    assert f"the lease of {roles[0]} is valid" in found["summary"]
    assert ask("clear_metadata")[0] == 2
    assert ask("status")[0] == 0


def test_a_test_email_arrives(ask, receivers):
    assert ask("send_test_email") == (0, {"status": "ok", "to": ["operators@example.org"]})
    assert "Subject: Airflow airflow: test" in receivers[0][0]


def test_a_switchover_hands_over_and_sends_alerts(roles, ask, host_named, receivers):
    active, standby = roles
    epoch = ask("metadata")[1]["epoch"]
    assert ask("switchover", "nowhere")[0] == 2
    assert ask("switchover", standby) == (0, {"status": "ok", "host": standby})
    # The agent is active before its child starts.
    wait_until("the scheduler starts", lambda: processes(host_named(standby)), 10)
    assert not processes(host_named(active))
    assert ask("metadata")[1]["epoch"] == epoch + 1
    wait_until("both alerts were received", lambda: all(receivers), 30)
    assert f"the scheduler of {standby} is active" in receivers[0][0]
    path, event = receivers[1][0]
    assert path == "/scheduler?token=not-for-the-journal"
    assert (event["from"], event["to"], event["epoch"]) == (active, standby, epoch + 1)
    assert "not-for-the-journal" not in host_named(standby).check_output("journalctl --no-pager --output=cat")


def test_a_killed_agent_leaves_no_scheduler_behind(roles, ask, host_named):
    active, _standby = roles
    before = ask("metadata")[1]["epoch"]
    old = processes(host_named(active))
    host_named(active).check_output("systemctl kill --signal=KILL --kill-whom=main airflow-scheduler.service")
    wait_until("its scheduler is gone", lambda: not set(old) & set(processes(host_named(active))), 5)
    # The stored state of the old epoch is good for a moment.
    wait_until("the epoch is another", lambda: ask("metadata")[1]["epoch"] > before, 60, every=1.0)
    wait_until("a scheduler is active", lambda: ask("status")[0] == 0, 60, every=1.0)


def test_the_mode_changes_and_changes_back(ask, host_named, schedulers):
    def users():
        return host_named("store1").check_output(
            "psql --username=postgres -Atc \"SELECT rolname FROM pg_roles WHERE rolname ~ 'airflow_(sched|lease)'\""
        )

    def play(*arguments):
        ansible(str(ROOT / "site.yml"), *arguments, program="ansible-playbook", timeout=1200)

    assert users()
    play("-e", "airflow_scheduler_mode=active_active")
    # The host that is asked may be a follower.
    wait_until("the users are gone", lambda: users() == "", 10)
    assert all(processes(host_named(host)) for host in schedulers)
    left = "ls /usr/local/sbin/flightdeck-scheduler-lease /etc/airflow/secrets/scheduler_* 2>/dev/null || true"
    assert [host_named(host).check_output(left) for host in schedulers] == [""] * len(schedulers)
    # Before a host is touched.
    with pytest.raises(RuntimeError, match=r"nothing\s+was\s+changed\s+on\s+any\s+host:\s+FD182"):
        play("--limit", schedulers[0])
    for name in ("rotate_secrets.yml", "start.yml"):
        with pytest.raises(RuntimeError, match="FD182"):
            ansible(str(ROOT / "playbooks" / name), program="ansible-playbook")
    play()
    wait_until("one is active, the other is standby", lambda: ask("status")[0] == 0, 120, every=1.0)
    with pytest.raises(RuntimeError, match=r"nothing\s+was\s+changed\s+on\s+any\s+host:\s+FD182"):
        play("--limit", schedulers[0], "-e", "airflow_scheduler_mode=active_active")
    assert sum(bool(processes(host_named(host))) for host in schedulers) == 1
