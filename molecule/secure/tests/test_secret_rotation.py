"""Every secret is replaced while users and tasks go on, and none of the old ones is accepted."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import dag_runs
import pytest
import requests
from cluster_access import access, ansible, changes, inventory, rabbitmqctl, recap, release_python, wait_until
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from interrupt import Run
from load import Load
from test_secret_leaks import found_in, secret_values

ROOT = Path(__file__).parents[3]
PLAYBOOK = str(ROOT / "playbooks/rotate_secrets.yml")
# All but the key of the tokens, for which scheduling pauses.
WHILE_TASKS_RUN = [
    "admin_password",
    "api_secret_key",
    "broker_password",
    "fernet_key",
    "flower_broker_password",
    "flower_password",
    "haproxy_stats_password",
    "metastore_owner_password",
    "metastore_password",
    "rabbitmq_admin_password",
    "rabbitmq_cookie",
    "result_backend_password",
]
PAIRS = {"airflow": "metastore_password", "airflow_results": "result_backend_password"}
CONTENT = {
    "conn_id": "kept",
    "conn_type": "generic",
    "password": "opens something",
    "extra": '{"token": "also secret"}',
}


def names(secrets):
    return ("-e", json.dumps({"airflow_rotate": secrets}))


def rotate(secrets, *more):
    return ansible(PLAYBOOK, *names(secrets), *more, program="ansible-playbook", timeout=1800)


@contextlib.contextmanager
def arguments_of(hosts, path):
    """Writes the arguments of all processes on ``hosts`` into ``path``, twice a second."""
    look = "while sleep 0.5; do for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $f 2>/dev/null || true; done; done"
    with path.open("w") as stream:
        streams = {"stdout": stream, "stderr": subprocess.DEVNULL}
        watchers = [
            subprocess.Popen(["docker", "exec", access().containers[host], "sh", "-c", look], **streams)
            for host in hosts
        ]
        try:
            yield
        finally:
            for watcher in watchers:
                watcher.terminate()
    for host in hosts:
        subprocess.run(["docker", "exec", access().containers[host], "pkill", "--full", "while sleep 0.5"], check=False)


def now():
    """The cluster as its inventory says now; the session's view is older than a rotation."""
    access.cache_clear()
    return access()


def query(host_named, text):
    """Rows of the metastore, asked as its superuser."""
    database = access().model["hosts_of"]["metastore"][0]["name"]
    return host_named(database).check_output(
        "psql --username=postgres --dbname=airflow --no-align --tuples-only --command=%s", text
    )


def log_in(host, url):
    """What PostgreSQL answers to a login with ``url``; empty when it accepts it."""
    code = (
        "import sys, psycopg2\ntry: psycopg2.connect(sys.stdin.read()).close()\nexcept psycopg2.Error as error: "
        "print(error)"
    )
    command = release_python(access().containers[host], code)
    return subprocess.run(command, input=url, capture_output=True, text=True, check=True).stdout


def url_of(host_named, host, name):
    """Content of a secret file as libpq understands it."""
    url = host_named(host).check_output("cat /etc/airflow/secrets/%s", name)
    return urlsplit(url.removeprefix("db+"))._replace(scheme="postgresql").geturl()


@pytest.fixture(scope="module")
def connection():
    """A connection with secrets in it, stored before the first rotation."""
    cluster = access()
    body = {**CONTENT, "connection_id": CONTENT["conn_id"]}
    del body["conn_id"]
    answer = dag_runs.log_in(cluster).post(f"{cluster.api_url}/connections", json=body, timeout=30)
    assert answer.status_code in (201, 409), answer.text
    return CONTENT["conn_id"]


def check_connection(host_named, connection, old_keys):
    """It says what it said on every host, and only the present key decrypts what is stored."""
    cluster = now()
    for host in cluster.model["hosts_of"]["webserver"]:
        told = json.loads(
            host_named(host["name"]).check_output("airflow connections get %s --output json", connection)
        )[0]
        assert told["password"] == CONTENT["password"]
        assert "also secret" in str(told["extra_dejson"])
    stored = query(host_named, f"SELECT password FROM connection WHERE conn_id = '{connection}'")
    assert "," not in cluster.secrets["fernet_key"]
    assert Fernet(cluster.secrets["fernet_key"]).decrypt(stored).decode() == CONTENT["password"]
    with pytest.raises(InvalidToken):
        MultiFernet([Fernet(key) for key in old_keys]).decrypt(stored)


def killed(secrets, *more):
    """What the playbook said until it was killed, when the new secrets were on the controller and on none or some
    of the hosts."""
    command = ["ansible-playbook", "-i", inventory(), PLAYBOOK, *names(secrets), *more]
    said = ""
    plain = {"ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true", "ANSIBLE_DISPLAY_OK_HOSTS": "true"}
    with Run(command, plain) as run:
        for line in run.stdout or ():
            said += line
            if line.startswith("TASK [flightdeck.airflow.airflow : Write the secrets"):
                break
        run.kill()
    return said


def test_what_a_rotation_would_do_can_be_seen_before():
    path = Path(inventory(), ".airflow_secrets.yml")
    before = path.read_text()
    rotate([*WHILE_TASKS_RUN, "jwt_secret"], "--check", "--diff")
    assert path.read_text() == before


def test_all_at_once_while_tasks_run_and_interrupted(host_named, connection, tmp_path):
    before = now()
    old_urls = {name: url_of(host_named, "master1", name) for name in ("sql_alchemy_conn", "result_backend")}
    with Load(before) as load, arguments_of(["back1", "master1"], tmp_path / "seen"):
        started = time.monotonic()
        said = killed(WHILE_TASKS_RUN, "-vvv", "--diff")
        said += rotate([], "-vvv", "--diff")
        seconds = time.monotonic() - started
    done = load.tasks()
    print(f"{seconds:.0f} s, {load.count} requests, {len(load.failures)} failed, {len(load.runs)} runs, tasks: {done}")
    assert set(done) == {"success after 1"}
    after = now()
    for cluster in (before, after):
        assert found_in(said + (tmp_path / "seen").read_text(), secret_values(cluster)) == []
    changed = {name for name in before.secrets if before.secrets[name] != after.secrets[name]}
    assert changed == {*WHILE_TASKS_RUN, "alternate_users"}
    check_connection(host_named, connection, [before.secrets["fernet_key"]])
    for name, url in old_urls.items():
        assert log_in("master1", url_of(host_named, "master1", name)) == ""
        # The first user of a pair may not log in, the second does not exist.
        assert re.search(
            "not permitted to log in|password authentication failed|no pg_hba.conf entry", log_in("master1", url)
        )
    # Each pair took one turn, and who had the last one cannot log in.
    present = {f"{user}_b" if secret in after.secrets["alternate_users"] else user for user, secret in PAIRS.items()}
    roles = query(host_named, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'airflow%' AND rolcanlogin").split()
    assert set(roles) == {"airflow_owner", *present}
    assert load.failures == []


def test_the_brokers_know_the_present_user_only(host_named):
    cluster = now()
    node = cluster.model["nodes"]["back2"]
    api = f"https://{node['address']}:{node['rabbitmq']['management_tls_port']}/api"
    login = ("admin", cluster.secrets["rabbitmq_admin_password"])
    users = {user["name"] for user in requests.get(f"{api}/users", auth=login, timeout=10).json()}
    present = "airflow_b" if "broker_password" in cluster.secrets["alternate_users"] else "airflow"
    assert users == {"admin", "airflow_flower", present}
    connected = set(rabbitmqctl(host_named("back2"), "list_connections user").split())
    assert connected - {"user", "airflow_flower"} == {present}
    nodes = requests.get(f"{api}/nodes", auth=login, timeout=10).json()
    assert [node["name"] for node in nodes if not node["running"]] == []


def test_the_cookie_is_the_same_everywhere_and_outlives_a_restart(host_named):
    cluster = now()
    for host in cluster.model["hosts_of"]["rabbitmq"]:
        node = host_named(host["name"])
        assert node.check_output("cat /var/lib/rabbitmq/.erlang.cookie") == cluster.secrets["rabbitmq_cookie"]
        # A node that starts has to find the others by the new cookie.
        node.check_output("systemctl restart rabbitmq-server")
        rabbitmqctl(node, "await_online_nodes 3 --timeout 120")


def test_nothing_is_left_to_do():
    said = ansible(str(ROOT / "site.yml"), program="ansible-playbook", timeout=900)
    assert changes(said) == {}


@contextlib.contextmanager
def logged_in(host, url):
    """A session in the metastore from ``host`` with ``url``, which stays open."""
    stay = (
        "import sys, psycopg2\nsession = psycopg2.connect(sys.stdin.readline().strip())\nprint('in', "
        "flush=True)\nsys.stdin.read()"
    )
    command = release_python(access().containers[host], stay)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        session.stdin.write(f"{url}\n")
        session.stdin.flush()
        assert session.stdout.readline() == "in\n"
        yield
        session.stdin.close()


def started(host_named, component, unit):
    """When the unit started on each host of the component. All hosts have the clock of one machine."""
    hosts = [host_named(host["name"]) for host in access().model["hosts_of"][component]]
    return [
        int(host.check_output("systemctl show --value --property=ActiveEnterTimestampMonotonic %s", unit))
        for host in hosts
    ]


@pytest.mark.thorough
def test_the_key_of_the_tokens_is_the_webservers_before_a_scheduler_starts(host_named):
    before = now()
    killed(["jwt_secret"])
    begun = now()
    rotate([])
    after = now()
    assert before.secrets["jwt_secret"] != begun.secrets["jwt_secret"] == after.secrets["jwt_secret"]
    assert max(started(host_named, "webserver", "airflow-api-server")) < min(
        started(host_named, "scheduler", "airflow-scheduler")
    )
    # It is finished: nothing pauses any more.
    assert changes(rotate([])) == {}
    with Load(after, seconds=15) as load:
        load.stopped.wait(10)
    assert set(load.tasks()) == {"success after 1"}


@pytest.mark.thorough
def test_the_key_of_the_tokens_waits_for_running_tasks(host_named):
    """Tokens that are out would be refused, so scheduling pauses until no task holds one.

    The pair goes back to its first user.
    """
    before = now()
    url = url_of(host_named, "master1", "sql_alchemy_conn")
    with Load(before, seconds=15) as load:
        load.stopped.wait(10)
    # A user with an open session keeps its login, and the next run finishes.
    with (
        logged_in("master1", url),
        pytest.raises(RuntimeError, match=r"FD164 airflow\w* should be out of use and still has 1 sessions"),
    ):
        rotate(["jwt_secret", "metastore_password"])
    rotate([])
    assert log_in("master1", url) != ""
    fresh = Load(now())
    fresh.runs = load.runs
    assert set(fresh.tasks()) == {"success after 1"}
    refused = load.dag_runs.session.get(load.dag_runs.url, timeout=10)
    assert refused.status_code in (401, 403)
    ansible(str(ROOT / "playbooks/verify.yml"), program="ansible-playbook")


def test_tasks_that_take_too_long_keep_their_tokens():
    before = Path(inventory(), ".airflow_secrets.yml").read_text()
    with Load(now(), seconds=120) as load:
        load.stopped.set()
    wait_until("the tasks run", lambda: load.states() == {"success", "running"}, 60)
    with pytest.raises(RuntimeError, match=r"FD163 after 10 s there were still running tasks"):
        rotate(["jwt_secret"], "-e", '{"airflow_worker_drain_timeout_seconds": 10}')
    assert Path(inventory(), ".airflow_secrets.yml").read_text() == before
    assert set(load.tasks()) == {"success after 1"}


@pytest.mark.usefixtures("connection")
def test_what_does_not_fit_the_metastore_is_refused_before_anything_changes():
    site = str(ROOT / "site.yml")
    with pytest.raises(RuntimeError, match=r"FD215 airflow_fernet_key") as refused:
        ansible(site, "-e", f"airflow_fernet_key={Fernet.generate_key().decode()}", program="ansible-playbook")
    with pytest.raises(RuntimeError, match=r"FD216 metastore") as older:
        ansible(site, "-e", "airflow_version=2.11.2", program="ansible-playbook")
    for said in (str(refused.value), str(older.value)):
        assert {changed for _ok, changed in recap(said).values()} == {0}


def test_the_owner_of_the_tables_cleans_them(host_named):
    older = "SELECT count(*) FROM log WHERE dttm < now() - interval '1 minute'"
    assert int(query(host_named, older)) > 0
    before = query(host_named, "SELECT now() - interval '1 minute'").replace(" ", "T")
    clean = ["clean", "--tables", "log", "--clean-before-timestamp", before, "--skip-archive", "--yes"]
    playbook = str(ROOT / "playbooks/airflow_db.yml")
    ansible(playbook, "-e", json.dumps({"airflow_db_command": clean}), program="ansible-playbook")
    assert int(query(host_named, f"SELECT count(*) FROM log WHERE dttm < '{before}'")) == 0
    with pytest.raises(RuntimeError, match=r"FD165 airflow_db_command"):
        ansible(playbook, program="ansible-playbook")


def test_what_cannot_be_rotated_is_refused_before_anything_changes():
    before = Path(inventory(), ".airflow_secrets.yml").read_text()
    with pytest.raises(RuntimeError, match=r"FD160 airflow_rotate: found 'fernet'"):
        rotate(["fernet"])
    with pytest.raises(RuntimeError, match=r"FD161 airflow_admin_password"):
        ansible(
            PLAYBOOK,
            *names(["admin_password"]),
            "-e",
            "airflow_admin_password=my-own-4-this-cluster",
            program="ansible-playbook",
        )
    with pytest.raises(RuntimeError, match=r"FD162 --limit"):
        ansible(PLAYBOOK, *names(["fernet_key"]), "--limit", "master1", program="ansible-playbook")
    assert Path(inventory(), ".airflow_secrets.yml").read_text() == before
