"""A host that vanishes holds nothing for long: no lock, no message, no login."""

from __future__ import annotations

import subprocess

import pytest
from cluster_access import access, release_python, wait_until

LOST = "worker1"
# Holds a session as Airflow has it, without heartbeats, tells its port, and ends with its standard input.
HOLD = """
import os, socket, ssl, sys
from pathlib import Path
from urllib.parse import urlsplit
secrets = Path("/etc/airflow/secrets")
if sys.argv[1] == "metastore":
    import psycopg2
    url = (secrets / "result_backend").read_text().removeprefix("db+")
    session = psycopg2.connect(urlsplit(url)._replace(scheme="postgresql").geturl())
    number = session.fileno()
else:
    from kombu import Connection
    url = (secrets / "broker_url").read_text()
    host = urlsplit(url).hostname
    tls = {"ca_certs": str(secrets / "ca.crt"), "cert_reqs": ssl.CERT_REQUIRED, "server_hostname": host}
    session = Connection(url, ssl=tls)
    number = session.connection.sock.fileno()
print(socket.socket(fileno=os.dup(number)).getsockname()[1], flush=True)
sys.stdin.read()
os._exit(0)
"""
FORGOTTEN_SECONDS = 40


@pytest.mark.parametrize("layer", ["metastore", "broker"])
def test_a_client_that_is_gone_is_forgotten(host_named, layer):
    balancer = access().model["hosts_of"]["haproxy"][0]["name"]
    command = release_python(access().containers[LOST], HOLD, layer)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        port = int(client.stdout.readline())
        session = f"src={access().model['nodes'][LOST]['address']}:{port} "

        def held():
            return session in host_named(balancer).check_output(
                "echo show sess | socat - UNIX-CONNECT:/run/haproxy/admin.sock"
            )

        assert held()
        # Nothing of it leaves the host any more, nor the kernel's word that it has ended.
        silent = f"table inet gone {{ chain out {{ type filter hook output priority -300; tcp sport {port} drop; }}; }}"
        host_named(LOST).check_output("nft %s", silent)
        try:
            client.communicate()
            assert held()
            wait_until("the load balancer drops it", lambda: not held(), FORGOTTEN_SECONDS, promised=True)
        finally:
            host_named(LOST).check_output("nft delete table inet gone")
