"""Nothing that crosses the network is readable, and no other machine can pretend to be a server of the cluster."""

from __future__ import annotations

import datetime
import socket
import ssl
import urllib.error
import urllib.request

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import certificates
from cluster_access import rabbitmqctl

SSL_REQUEST = bytes.fromhex("0000000804d2162f")
AMQP_HEADER = b"AMQP\x00\x00\x09\x01"


@pytest.fixture(autouse=True)
def encrypted(cluster):
    if not cluster.model["tls"]["enabled"]:
        pytest.skip("the scenario has no TLS")


@pytest.fixture(scope="module")
def other_ca(tmp_path_factory):
    """The certificate of another CA with the same name."""
    path = tmp_path_factory.mktemp("other") / "ca.crt"
    path.write_text(certificates.make_ca("airflow", datetime.datetime.now(datetime.UTC))["certificate"])
    return str(path)


def endpoints(cluster):
    """Where servers speak TLS from the first byte: (what, address, port)."""
    found = []
    for name, node in cluster.model["nodes"].items():
        if "rabbitmq" in node:
            found += [
                (f"{name} {port}", node["address"], node["rabbitmq"][port]) for port in ("port", "management_tls_port")
            ]
        if "redis" in node:
            found.append((f"{name} redis", node["address"], node["redis"]["port"]))
        for listener in node.get("haproxy", {}).get("listeners", []):
            if listener["name"] != "metastore":
                found.append((f"{name} {listener['name']}", node["address"], listener["port"]))
        if "haproxy" in node:
            found.append((f"{name} statistics", node["address"], node["haproxy"]["stats"]["port"]))
    balancer = cluster.model["nodes"][cluster.model["hosts_of"]["haproxy"][0]["name"]]["haproxy"]
    web = next(listener for listener in balancer["listeners"] if listener["name"] == "web")
    return found + [(f"{server['name']} api-server", server["address"], server["port"]) for server in web["servers"]]


def metastores(cluster):
    """Where PostgreSQL is reached, which asks for TLS in its own protocol."""
    return [
        (f"{name} metastore", node["address"], listener["port"])
        for name, node in cluster.model["nodes"].items()
        for listener in node.get("haproxy", {}).get("listeners", [])
        if listener["name"] == "metastore"
    ]


def handshake(address, port, context, *, postgresql=False):
    """The TLS version that a server agrees to; raises what the handshake raises."""
    with socket.create_connection((address, port), timeout=10) as plain:
        if postgresql:
            plain.sendall(SSL_REQUEST)
            assert plain.recv(1) == b"S"
        with context.wrap_socket(plain, server_hostname=address) as secure:
            return secure.version()


def test_the_certificate_of_every_server_has_its_address(cluster):
    context = ssl.create_default_context(cafile=cluster.ca_file)
    found = {what: handshake(address, port, context) for what, address, port in endpoints(cluster)}
    found |= {what: handshake(address, port, context, postgresql=True) for what, address, port in metastores(cluster)}
    assert set(found.values()) == {"TLSv1.3"}, found


def test_another_ca_is_refused(cluster, other_ca):
    context = ssl.create_default_context(cafile=other_ca)
    for _what, address, port in endpoints(cluster):
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(address, port, context)
    for _what, address, port in metastores(cluster):
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(address, port, context, postgresql=True)


def test_old_protocols_are_refused(cluster):
    context = ssl.create_default_context(cafile=cluster.ca_file)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    for what, address, port in endpoints(cluster):
        with pytest.raises(OSError, match=r"(?i)alert|version|reset|eof|closed") as refused:
            handshake(address, port, context)
        assert not isinstance(refused.value, ssl.SSLCertVerificationError), what


def test_plain_text_gets_no_answer(cluster):
    """Neither HTTP nor AMQP; a server may say so before it hangs up."""
    for what, address, port in endpoints(cluster):
        with socket.create_connection((address, port), timeout=10) as plain:
            plain.sendall(
                AMQP_HEADER if what.endswith((" port", " broker")) else b"GET /api/v2/version HTTP/1.0\r\n\r\n"
            )
            try:
                answer = plain.recv(64)
            except ConnectionResetError:
                answer = b""
        assert b"200" not in answer, what
        assert not answer.startswith((b"\x01\x00\x00", b"AMQP")), what


def test_the_metastore_wants_encryption(cluster, host_named):
    client = host_named(cluster.model["airflow_hosts"][0])
    script = "import sys, psycopg2; psycopg2.connect(sys.argv[1], sslmode='disable')"
    for _what, address, port in metastores(cluster):
        url = f"postgresql://airflow:wrong@{address}:{port}/airflow"
        refused = client.run("/opt/airflow/current/bin/python -c %s %s", script, url)
        assert "no encryption" in refused.stderr


def test_the_user_of_the_health_check_does_not_exist(cluster, host_named):
    for host in cluster.model["hosts_of"]["metastore"]:
        roles = host_named(host["name"]).check_output(
            "psql -U postgres -h /var/run/postgresql -At -c 'SELECT rolname FROM pg_roles'"
        )
        assert "flightdeck_check" not in roles.split()


def test_people_are_sent_to_the_encrypted_port(cluster):
    balancer = cluster.model["hosts_of"]["haproxy"][0]
    web = next(
        each for each in cluster.model["nodes"][balancer["name"]]["haproxy"]["listeners"] if each["name"] == "web"
    )

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_arguments):
            return None

    with pytest.raises(urllib.error.HTTPError) as moved:
        urllib.request.build_opener(Stay).open(
            f"http://{balancer['address']}:{web['redirect_from']}/dags?state=failed", timeout=10
        )
    assert moved.value.code == 308
    target = web["access"]["redirect_netloc"] or f"{balancer['address']}:{web['port']}"
    assert moved.value.headers["Location"] == f"https://{target}/dags?state=failed"
    with urllib.request.urlopen(f"{cluster.api_url}/version") as page:
        assert page.headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.group("rabbitmq")
def test_brokers_trust_each_other_by_certificate(member, cluster, host_named):
    host = host_named(member)
    assert "inet_tls" in rabbitmqctl(host, "eval 'init:get_argument(proto_dist).'")
    # The management API without TLS is for the host itself.
    node = cluster.model["nodes"][member]
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((node["address"], node["rabbitmq"]["management_port"]), timeout=5)
