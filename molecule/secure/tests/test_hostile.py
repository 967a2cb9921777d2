"""An attacker on the network or in a task is refused at every port, and users are still served."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import statistics
import subprocess
import time
from urllib.parse import quote, urlsplit

import pytest
import requests
from cluster_access import CANARY, access, release_python

# A client with the certificates of the host, and with the given options. Prints the error, or what the statement
# returned.
STATEMENT = """
import json, psycopg2, sys
from urllib.parse import urlsplit
wanted = json.load(sys.stdin)
url = urlsplit(open("/etc/airflow/secrets/" + wanted["file"]).read().strip())
sslmode = wanted.get("sslmode", "require")
given = dict(host=url.hostname, port=url.port, user=url.username, dbname=url.path[1:], sslmode=sslmode)
from urllib.parse import unquote
given["password"] = unquote(url.password)
given.update({key: wanted[key] for key in ("user", "password", "dbname") if key in wanted})
try:
    with psycopg2.connect(**given) as connection, connection.cursor() as cursor:
        cursor.execute(wanted["statement"])
        print("returned", cursor.fetchall() if cursor.description else "nothing")
except psycopg2.Error as error:
    print("refused:", error)
"""


@pytest.fixture(scope="module")
def token():
    cluster = access()
    login = {"username": cluster.user, "password": cluster.password}
    return requests.post(f"{cluster.url}/auth/token", json=login, timeout=30).json()["access_token"]


def inside(host, program, document):
    """What a Python ``program`` of the release says on ``host`` when it is given ``document``."""
    command = release_python(access().containers[host], program)
    return subprocess.run(
        command, input=json.dumps(document), capture_output=True, text=True, check=True, timeout=60
    ).stdout


def sql(host, file, statement="SELECT 1", **other):
    return inside(host, STATEMENT, {"file": file, "statement": statement, **other})


def served():
    """Seconds that the cluster takes to answer another client."""
    started = time.monotonic()
    assert requests.get(f"{access().url}/api/v2/version", timeout=60).status_code == 200
    return time.monotonic() - started


def test_the_metastore_wants_the_right_password():
    assert "returned" in sql("worker1", "result_backend")
    assert "password authentication failed" in sql("worker1", "result_backend", password="wrong")
    assert "no password supplied" in sql("worker1", "result_backend", password="")


def test_a_worker_reaches_nothing_but_its_results():
    """With the password that it has, for whatever user and database."""
    doors = [
        ("airflow_results", "airflow"),
        ("airflow_results", "postgres"),
        ("postgres", "postgres"),
        ("postgres", "airflow"),
    ]
    for user, database in doors:
        assert "no pg_hba.conf entry" in sql("worker1", "result_backend", user=user, dbname=database), (user, database)
    for user in ("airflow", "airflow_owner"):
        assert "password authentication failed" in sql("worker1", "result_backend", user=user, dbname="airflow"), user


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE dag_run",
        "ALTER TABLE dag_run ADD COLUMN x int",
        "CREATE TABLE x (y int)",
        "TRUNCATE log",
        "CREATE ROLE x",
        "COPY log TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
        "SET ROLE airflow_owner",
        "SET ROLE postgres",
    ],
)
def test_airflow_may_write_rows_and_no_more(statement):
    said = sql("master1", "sql_alchemy_conn", statement)
    assert "refused" in said and ("permission denied" in said or "must be " in said), said


def test_the_owner_is_no_superuser_either(cluster):
    owner = {"user": "airflow_owner", "password": cluster.secrets["metastore_owner_password"]}
    assert "must be superuser" in sql("master1", "sql_alchemy_conn", "COPY log TO PROGRAM 'true'", **owner)
    assert "returned" in sql("master1", "sql_alchemy_conn", "SELECT count(*) FROM dag_run", **owner)


def test_the_brokers_user_has_its_virtual_host_and_nothing_else(cluster):
    said = inside(
        "worker1",
        """
import ssl
from kombu import Connection
url = open("/etc/airflow/secrets/broker_url").read().strip()
tls = {"ca_certs": "/etc/airflow/secrets/ca.crt", "cert_reqs": ssl.CERT_REQUIRED}
guest = {"userid": "guest", "password": "guest"}
for name, change in {"own": {}, "host": {"virtual_host": "/"}, "wrong": {"password": "wrong"}, "guest": guest}.items():
    connection = Connection(url, ssl=tls, connect_timeout=10)
    for key, value in change.items():
        setattr(connection, key, value)
    try:
        connection.connect()
        print(name, "in")
    except Exception as error:
        print(name, "out")
    finally:
        connection.release()
""",
        {},
    )
    assert said.split() == ["own", "in", "host", "out", "wrong", "out", "guest", "out"]
    node = cluster.model["nodes"]["back2"]
    api = f"https://{node['address']}:{node['rabbitmq']['management_tls_port']}/api/whoami"
    assert requests.get(api, auth=("airflow", cluster.secrets["broker_password"]), timeout=10).status_code == 401
    assert requests.get(api, timeout=10).status_code == 401


def test_no_token_of_ones_own_making(cluster, token):
    """Without a signature, signed by another key, and a good one with another name in it."""

    def part(document):
        return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()

    header, claims, signature = token.split(".")
    padded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    forged = [
        f"{part({'alg': 'none', 'typ': 'JWT'})}.{claims}.",
        f"{header}.{claims}.{'A' * len(signature)}",
        f"{header}.{part({**padded, 'sub': '999'})}.{signature}",
        "",
        "null",
    ]
    for attempt in forged:
        answer = requests.get(
            f"{cluster.url}/api/v2/connections", headers={"Authorization": f"Bearer {attempt}"}, timeout=10
        )
        assert answer.status_code in (401, 403), (attempt[:20], answer.status_code)
    good = requests.get(f"{cluster.url}/api/v2/connections", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert good.status_code == 200


def test_the_execution_api_wants_a_tasks_token(cluster, token):
    """From a host of the cluster, which the firewall lets through: nothing without a token, and nothing with a
    user's."""
    listener = next(
        entry for entry in cluster.model["nodes"]["back1"]["haproxy"]["listeners"] if entry["name"] == "execution_api"
    )
    address = cluster.model["nodes"]["back1"]["address"]
    said = inside(
        "worker1",
        """
import json, ssl, sys, urllib.error, urllib.request
wanted = json.load(sys.stdin)
context = ssl.create_default_context(cafile="/etc/airflow/secrets/ca.crt")
for token in wanted["tokens"]:
    request = urllib.request.Request(wanted["url"], headers={"Authorization": "Bearer " + token} if token else {})
    try:
        print(urllib.request.urlopen(request, context=context, timeout=10).status)
    except urllib.error.HTTPError as error:
        print(error.code)
""",
        {"url": f"https://{address}:{listener['port']}/execution/connections/kept", "tokens": ["", "null", token]},
    )
    assert set(said.split()) <= {"401", "403"}, said


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "/etc/passwd", "\x00", "x" * 5000, "a/../../b"]
)
def test_a_name_is_no_path(cluster, token, name):
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    encoded = quote(name, safe="")
    paths = [f"/api/v2/dags/{encoded}", f"/api/v2/dagSources/{encoded}"]
    paths += [f"/api/v2/dags/{CANARY}/dagRuns/{encoded}/taskInstances/{encoded}/logs/1"]
    for path in paths:
        answer = session.get(cluster.url + path, timeout=30)
        # PostgreSQL knows no NUL, which Airflow finds out there: an error, and no more than that.
        assert answer.status_code >= 400, (path[:80], answer.status_code)
        assert "root:" not in answer.text
    # As it is, without the client's own tidying.
    raw = f"GET /static/{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode("latin1")
    assert b"root:" not in exchange(cluster, raw)
    served()


@pytest.mark.parametrize("run_id", ["../../../../tmp/evil", "..", "/tmp/evil", "a/../../../b"])
def test_a_run_is_not_named_like_a_path(cluster, token, run_id):
    """The name of a run becomes a directory of the logs."""
    runs = f"{cluster.url}/api/v2/dags/{CANARY}/dagRuns"
    headers = {"Authorization": f"Bearer {token}"}
    body = {"logical_date": None, "dag_run_id": run_id, "conf": {"instances": {}, "seconds": 0}}
    answer = requests.post(runs, json=body, headers=headers, timeout=10)
    if answer.status_code == 200:
        requests.delete(f"{runs}/{quote(run_id, safe='')}", headers=headers, timeout=10)
    assert 400 <= answer.status_code < 500, answer.text


def open_socket(cluster):
    """A TLS connection to the load balancer."""
    url = urlsplit(cluster.url)
    context = ssl.create_default_context(cafile=cluster.ca_file)
    return context.wrap_socket(
        socket.create_connection((url.hostname, url.port), timeout=20), server_hostname=url.hostname
    )


def exchange(cluster, request):
    """All that the load balancer answers to ``request``."""
    with open_socket(cluster) as stream:
        answer = b""
        try:
            stream.sendall(request)
            while piece := stream.recv(65536):
                answer += piece
        except OSError:
            pass
        return answer


@pytest.mark.parametrize(
    "lines",
    [
        [f"X-Much: {'a' * 100_000}"],
        [f"X-{number}: a" for number in range(5000)],
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Content-Length: 5", "Content-Length: 6"],
        ["X-Odd : a"],
    ],
    ids=["too long", "too many", "two lengths", "two other lengths", "a space before the colon"],
)
def test_headers_that_are_too_much_or_ambiguous_are_refused(cluster, lines):
    answer = exchange(cluster, "\r\n".join(["POST /api/v2/version HTTP/1.1", "Host: x", *lines, "", "x"]).encode())
    status = int(answer.split()[1]) if answer else 0
    # Nothing at all, when the load balancer hung up while we were still talking.
    assert status == 0 or 400 <= status < 500, answer[:200]
    served()


def test_slow_clients_are_disconnected_and_delay_no_other(cluster):
    """Three hundred at once, each with a line of its request every other second."""
    slow = [open_socket(cluster) for _ in range(300)]
    started = time.monotonic()
    waits, open_ones = [], slow
    while open_ones and time.monotonic() - started < 120:
        still = []
        for stream in open_ones:
            try:
                stream.sendall(b"GET / HTTP/1.1\r\n" if time.monotonic() - started < 1 else b"X-Slow: a\r\n")
                still.append(stream)
            except OSError:
                stream.close()
        open_ones = still
        waits.append(served())
        time.sleep(2)
    print(f"all gone after {time.monotonic() - started:.0f} s; others waited {max(waits):.2f} s at most")
    assert open_ones == []
    # The limit for a request: what everybody would wait who waits for the slow ones. A busy machine may hold up one or
    # the other.
    assert statistics.median(waits) < 10
