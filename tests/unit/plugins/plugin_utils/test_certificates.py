"""The CA signs what its hosts need, again when it is due, and what it signs convinces OpenSSL."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import certificates
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import (
    certificates as certificates_validation,
)
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime.datetime.now(datetime.UTC)
NAMES = {"lb1": ["lb1", "192.0.2.10", "2001:db8::1", "airflow.example.org"], "db1": ["db1", "192.0.2.31"]}


def later(days):
    return NOW + datetime.timedelta(days=days)


@pytest.fixture(scope="module")
def keystore():
    made, _reasons = certificates.renew({}, "prod", NAMES, NOW, days=365, renew_days=60)
    return made


def test_nothing_is_made_twice(keystore):
    again, made = certificates.renew(keystore, "prod", NAMES, later(300), days=365, renew_days=60)
    assert made == {}
    assert again == keystore


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"now": later(306)}, "it ends in 58 days"),
        ({"names": {**NAMES, "db1": ["db1", "192.0.2.32"]}}, "the host's names or addresses changed"),
        ({"names": {"lb1": NAMES["lb1"], "db1": NAMES["db1"], "db2": ["db2"]}}, "it has none"),
    ],
)
def test_what_is_renewed_and_why(keystore, change, reason):
    again, made = certificates.renew(
        keystore, "prod", change.get("names", NAMES), change.get("now", NOW), days=365, renew_days=60
    )
    assert reason in made.values()
    assert again["ca"] == keystore["ca"]
    if "names" in change:
        assert again["hosts"]["lb1"] == keystore["hosts"]["lb1"]


def test_a_new_ca_signs_everything_again(keystore):
    _again, made = certificates.renew({"hosts": keystore["hosts"]}, "prod", NAMES, NOW, days=365, renew_days=60)
    assert made == {"ca": "there is none", "lb1": "another CA signed it", "db1": "another CA signed it"}


def test_a_host_that_left_loses_its_key(keystore):
    again, _made = certificates.renew(keystore, "prod", {"lb1": NAMES["lb1"]}, NOW, days=365, renew_days=60)
    assert list(again["hosts"]) == ["lb1"]


def test_the_ca_signs_hosts_only(keystore):
    ca = x509.load_pem_x509_certificate(keystore["ca"]["certificate"].encode())
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    host = x509.load_pem_x509_certificate(keystore["hosts"]["db1"]["certificate"].encode())
    assert not host.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    # What browsers accept at most.
    assert (host.not_valid_after_utc - host.not_valid_before_utc).days <= 398


@settings(max_examples=20)
@given(
    st.sets(
        st.one_of(
            st.ip_addresses().map(str), st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{2,8})?", fullmatch=True)
        ),
        min_size=1,
    )
)
def test_a_certificate_proves_just_its_names(names):
    ca = certificates.make_ca("x", NOW)
    pair = certificates.issue(ca, "host", names, NOW, days=1)
    assert certificates.names_of(pair["certificate"]) == names
    assert certificates.reason_to_renew(pair, ca, names, NOW, renew_days=0) is None
    assert certificates.reason_to_renew(pair, ca, sorted(names)[1:], NOW, renew_days=0) is None
    assert certificates.reason_to_renew(pair, ca, [*names, "192.0.2.99"], NOW, renew_days=0)


@pytest.mark.parametrize(("name", "convinced"), [("127.0.0.1", True), ("localhost", True), ("example.org", False)])
def test_openssl_is_convinced(tmp_path, name, convinced):
    ca = certificates.make_ca("x", NOW)
    pair = certificates.issue(ca, "host", ["127.0.0.1", "localhost"], NOW, days=1)
    (tmp_path / "server.pem").write_text(pair["certificate"] + pair["key"])
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(tmp_path / "server.pem")
    client_context = ssl.create_default_context(cadata=ca["certificate"])
    ours, theirs = socket.socketpair()

    def serve():
        try:
            server_context.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    server = threading.Thread(target=serve)
    server.start()
    try:
        with client_context.wrap_socket(ours, server_hostname=name) as secure:
            assert secure.version() == "TLSv1.3"
        assert convinced
    except ssl.SSLCertVerificationError:
        assert not convinced
    finally:
        ours.close()
        server.join()


def test_a_certificate_and_its_key_belong_together(keystore):
    pair, other = keystore["hosts"]["lb1"], keystore["hosts"]["db1"]
    assert (
        certificates_validation.pair_problem(pair["certificate"] + keystore["ca"]["certificate"], pair["key"], NOW)
        is None
    )
    assert (
        certificates_validation.pair_problem(pair["certificate"], other["key"], NOW)
        == "the key belongs to another certificate"
    )
    assert certificates_validation.pair_problem("hello", pair["key"], NOW) == "the certificate is not PEM"
    assert certificates_validation.pair_problem(pair["certificate"], "hello", NOW).startswith("the key is not PEM")
    assert certificates_validation.pair_problem(pair["certificate"], pair["key"], later(400)).startswith(
        "the certificate is valid from"
    )


@pytest.mark.parametrize(
    ("host", "good"),
    [
        ("a.example.org", True),
        ("A.example.org", True),
        ("b.example.net", True),
        ("example.net", False),
        ("c.b.example.net", False),
        ("192.0.2.1", True),
        ("192.0.2.2", False),
    ],
)
def test_a_certificate_covers_its_names_and_one_label_for_a_star(host, good):
    assert certificates_validation.covers(["a.example.org", "*.example.net", "192.0.2.1"], host) is good
