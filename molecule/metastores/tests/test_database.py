"""Airflow in a database that the collection does not manage, whichever of the two it is."""

from __future__ import annotations

import contextlib
import re
import socketserver
import threading

import pytest
from cluster_access import ansible
from outside_database import as_airflow, as_root, by_the_async_engine, database_server
from test_idempotence import SITE
from test_secrets import secret_texts

ENCRYPTION = {
    "postgresql": "SELECT CASE WHEN ssl THEN 'yes' ELSE '' END FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    "mysql": "SHOW STATUS LIKE 'Ssl_cipher'",
}
DENIED = {"postgresql": "permission denied", "mysql": "command denied"}


# What a server says that has no encryption: to PostgreSQL's question, and MySQL's first packet, without the flag for
# TLS.
_MYSQL = (
    b"\x0a9.0.0\0"
    + bytes(4)
    + b"12345678\0"
    + b"\xff\xf7"
    + b"\x21\x02\0"
    + b"\xff\xdf"
    + b"\x15"
    + bytes(10)
    + b"123456789012\0"
)
_MYSQL += b"mysql_native_password\0"
GREETINGS = {"postgresql": (b"", b"N"), "mysql": (len(_MYSQL).to_bytes(3, "little") + b"\0" + _MYSQL, b"")}


@contextlib.contextmanager
def plain_server(address, greeting):
    """Port of a server on this machine, and what it received: it sends the first part of a greeting, then reads,
    then sends the other one."""
    said = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.settimeout(10)
            self.request.sendall(greeting[0])
            with contextlib.suppress(OSError):
                said.append(self.request.recv(4096))
                self.request.sendall(greeting[1])
                said.append(self.request.recv(4096))

    with socketserver.ThreadingTCPServer((address, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], said
        server.shutdown()


@pytest.fixture
def engine(cluster):
    return cluster.model["metastore"]["engine"]


@pytest.fixture
def server(engine, cluster):
    return database_server(cluster, engine)


def test_tasks_and_results_are_in_it(engine, server):
    assert int(as_root(server, engine, "SELECT count(*) FROM task_instance WHERE state = 'success'")[0]) > 0
    assert int(as_root(server, engine, "SELECT count(*) FROM celery_taskmeta WHERE status = 'SUCCESS'")[0]) > 0


@pytest.mark.parametrize("file", ["sql_alchemy_conn", "result_backend"])
@pytest.mark.parametrize(
    "statement", ["CREATE TABLE mine (id int)", "DROP TABLE celery_taskmeta", "ALTER TABLE job ADD mine int"]
)
def test_services_cannot_change_tables(engine, host_named, file, statement):
    code, _out, errors = as_airflow(host_named("master1"), file, statement)
    assert code != 0
    assert DENIED[engine] in errors or "must be owner" in errors, errors


def test_no_host_has_the_owners_password(cluster, host_named):
    for name in cluster.model["airflow_hosts"]:
        assert host_named(name).run("grep --recursive --quiet airflow_owner /etc/airflow").rc == 1


@pytest.mark.parametrize(
    ("host", "file"), [("master1", "sql_alchemy_conn"), ("master1", "result_backend"), ("worker1", "result_backend")]
)
def test_every_connection_is_encrypted(engine, host_named, host, file):
    code, cipher, errors = as_airflow(host_named(host), file, ENCRYPTION[engine])
    assert code == 0, errors
    assert cipher.strip()


@pytest.mark.parametrize("impostor", ["has another name", "has a certificate by another CA", "offers no encryption"])
def test_no_impostor_passes_for_the_server(engine, cluster, host_named, server, impostor):
    """Neither the server under a name that is not in its certificate, nor with a CA that did not sign it, nor in
    plain text."""
    host = host_named("master1")
    if impostor == "has another name":
        # That of its container leads to it, and its certificate has only the address.
        code, _out, errors = as_airflow(host, "sql_alchemy_conn", "SELECT 1", {"host": server.backend.name})
    elif impostor == "has a certificate by another CA":
        theirs = {"sslrootcert": "/etc/airflow/secrets/ca.crt"}
        if engine == "mysql":
            theirs = {"read_default_file": "/tmp/impostor.cnf"}
            host.check_output(
                "sed s,ssl-ca=.*,ssl-ca=/etc/airflow/secrets/ca.crt, /etc/airflow/mysql.cnf > /tmp/impostor.cnf"
            )
        code, _out, errors = as_airflow(host, "sql_alchemy_conn", "SELECT 1", {"query": theirs})
    else:
        network = cluster.model["nodes"]["master1"]["address"].rpartition(".")[0]
        with plain_server(f"{network}.1", GREETINGS[engine]) as (port, said):
            code, _out, errors = as_airflow(
                host, "sql_alchemy_conn", "SELECT 1", {"host": f"{network}.1", "port": port}
            )
        assert b"airflow" not in b"".join(said)
    assert code != 0
    assert re.search("OperationalError.*(certificate|SSL)", errors), errors


def test_the_async_engine_gets_there_encrypted(engine, host_named):
    assert by_the_async_engine(host_named("master1"), ENCRYPTION[engine])


def test_ansible_says_no_secret(cluster):
    said = ansible(SITE, "-vvv", "--diff", "--check", program="ansible-playbook", timeout=600)
    assert [value[:3] for value in secret_texts(cluster) if value in said] == []


@pytest.mark.parametrize(
    "arguments", [["switchover.yml"], ["rotate_secrets.yml", "-e", '{"airflow_rotate": ["metastore_password"]}']]
)
def test_what_is_for_the_collections_own_server_is_refused(arguments):
    playbook = SITE.replace("site.yml", f"playbooks/{arguments[0]}")
    with pytest.raises(RuntimeError, match="FD179"):
        ansible(playbook, *arguments[1:], program="ansible-playbook")


@pytest.mark.thorough
def test_the_key_of_the_tokens_is_rotated_when_no_task_runs():
    playbook = SITE.replace("site.yml", "playbooks/rotate_secrets.yml")
    ansible(playbook, "-e", '{"airflow_rotate": ["jwt_secret"]}', program="ansible-playbook", timeout=900)
