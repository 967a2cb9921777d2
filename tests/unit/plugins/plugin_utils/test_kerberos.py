"""Kerberos: which keytab, principal and configuration can give tickets, and what the hosts get of them."""

from __future__ import annotations

import base64
import struct
from dataclasses import replace

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model import kerberos as model
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._model.settings import Settings
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._validation import effects, kerberos, values
from test_cluster import defaults, host, plain, reference, variables


def counted(text):
    return struct.pack(">H", len(text)) + text.encode()


def entry(principal, key=b"0" * 16):
    """An entry of a keytab, as MIT writes it."""
    name, _at, realm = principal.partition("@")
    parts = name.split("/")
    names = b"".join(counted(part) for part in (realm, *parts))
    body = struct.pack(">H", len(parts)) + names + struct.pack(">IIB", 1, 1, 2)
    body += struct.pack(">HH", 17, len(key)) + key + struct.pack(">I", 2)
    return struct.pack(">i", len(body)) + body


def keytab(*principals):
    return b"\x05\x02" + b"".join(map(entry, principals))


OURS = keytab("airflow/w1@EXAMPLE.ORG", "host/w1@EXAMPLE.ORG")
HOLE = struct.pack(">i", -20) + b"\0" * 20


def test_principals_of_a_keytab():
    assert kerberos.principals(OURS + HOLE + entry("a@B")) == {"airflow/w1@EXAMPLE.ORG", "host/w1@EXAMPLE.ORG", "a@B"}
    assert kerberos.principals(b"\x05\x02") == set()


@pytest.mark.parametrize("content", [b"", b"PEM", OURS[:-1][:40], OURS + b"\0\0\1\0ab"])
def test_what_is_no_keytab(content):
    with pytest.raises(ValueError, match="keytab"):
        kerberos.principals(content)


FILES = {"/k": OURS, "/x": b"text", "/conf": b"[libdefaults]\n", "/empty": b"", "/binary": b"\xff"}


def read(path):
    if path not in FILES:
        raise OSError("there is no such file")
    return FILES[path]


GOOD = {
    "airflow_kerberos_principal": "airflow/w1@EXAMPLE.ORG",
    "airflow_kerberos_keytab_file": "/k",
    "airflow_kerberos_realm": "EXAMPLE.ORG",
}
BASE = variables()
RENEWERS = [*reference(), host("w1", 71, "worker", "kerberos"), host("w2", 72, "worker")]


def checked(hosts=RENEWERS, **changes):
    given = {**BASE, **GOOD, **changes}
    settings = Settings.from_variables(given)
    return [str(problem) for problem in kerberos.check(hosts, {each.name: given for each in hosts}, settings, read)]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"airflow_kerberos_keytab_file": "", "airflow_kerberos_keytab": base64.b64encode(OURS).decode()},
        # The realm is the configuration's.
        {"airflow_kerberos_principal": "airflow/w1"},
        {"airflow_kerberos_principal": "airflow/w1", "airflow_kerberos_realm": ""},
        {"airflow_kerberos_realm": "", "airflow_kerberos_config_file": "/conf"},
        {"airflow_kerberos_kdcs": ["kdc.example.org"]},
    ],
)
def test_what_gives_tickets(changes):
    assert checked(**changes) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"airflow_kerberos_principal": ""}, "FD300 airflow_kerberos_principal of host w1: found nothing"),
        ({"airflow_kerberos_keytab_file": ""}, "FD301 airflow_kerberos_keytab_file and airflow_kerberos_keytab of"),
        ({"airflow_kerberos_keytab": "BQI="}, "FD301 airflow_kerberos_keytab_file and airflow_kerberos_keytab of host"),
        ({"airflow_kerberos_keytab_file": "/none"}, "found '/none': there is no such file; expected a keytab"),
        ({"airflow_kerberos_keytab_file": "/x"}, "FD302 airflow_kerberos_keytab_file of host w1: found '/x': no key"),
        (
            {"airflow_kerberos_keytab_file": "", "airflow_kerberos_keytab": "%%%"},
            "FD302 airflow_kerberos_keytab of host w1: found no base64",
        ),
        ({"airflow_kerberos_principal": "other@EXAMPLE.ORG"}, "FD303 airflow_kerberos_keytab_file of host w1: found"),
        ({"airflow_kerberos_principal": "airflow/w1@OTHER"}, "expected a key of airflow/w1@OTHER"),
        ({"airflow_kerberos_config_file": "/conf"}, "FD304 airflow_kerberos_config_file: found a file, and airflow_k"),
        ({"airflow_kerberos_realm": "", "airflow_kerberos_kdcs": ["a"]}, "FD304 airflow_kerberos_kdcs: found KDCs wi"),
        ({"airflow_kerberos_realm": "", "airflow_kerberos_config_file": "/none"}, "FD304 airflow_kerberos_config_fil"),
        ({"airflow_kerberos_realm": "", "airflow_kerberos_config_file": "/empty"}, "found '/empty': no section"),
        ({"airflow_kerberos_realm": "", "airflow_kerberos_config_file": "/binary"}, "found '/binary': no text"),
    ],
)
def test_what_gives_none(changes, said):
    problems = checked(**changes)
    assert len(problems) == 1
    assert said in problems[0]


def test_a_principal_needs_hosts_that_renew_its_ticket():
    assert checked(reference(), airflow_kerberos_principal="") == []
    assert checked(reference())[0].startswith("FD300 group airflow_kerberos: found no host, and a principal")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "airflow_kerberos_principal",
            ["", "airflow", "airflow@EXAMPLE.ORG", "airflow/worker1.example.org@EXAMPLE.ORG", "WORKER1$@EXAMPLE.ORG"],
            ["airflow/_HOST@EXAMPLE.ORG", "a b", "a/b/c@X", "a@", "a@X@Y", "-", "a;b", "$(id)", "%s"],
        ),
        ("airflow_kerberos_realm", ["", "EXAMPLE.ORG"], ["a b", "[x]", "-X", "{"]),
        (
            "airflow_kerberos_kdcs",
            [["kdc.example.org", "192.0.2.1:88", "[2001:db8::1]:88", "[2001:db8::1]"]],
            [[""], ["kdc:0"], ["kdc:99999"], ["http://kdc"], ["2001:db8::1"], ["a b"]],
        ),
        ("airflow_kerberos_renew_seconds", [10, 3600], [9, 86401]),
    ],
)
def test_forms(name, good, bad):
    assert [value for value in good if values.check_values({name: value}, "3.3.2")] == []
    assert [value for value in bad if not values.check_values({name: value}, "3.3.2")] == []


@pytest.mark.parametrize("version", ["2.11.2", "3.3.2"])
def test_the_hosts_that_renew_a_ticket_have_it_and_the_others_nothing(version):
    hosts = [replace(one, kerberos_principal="airflow@X") if one.name == "w1" else one for one in RENEWERS]
    nodes = plain(hosts, defaults(airflow_version=version))["nodes"]
    config, other = nodes["w1"]["airflow"]["config"], nodes["w2"]["airflow"]["config"]
    assert config["core"]["security"] == "kerberos"
    assert config["kerberos"]["principal"] == "airflow@X"
    assert config["kerberos"]["ccache"] == "/run/airflow-kerberos/ccache"
    assert "security" not in other["core"]
    assert "kerberos" not in other
    assert nodes["w1"]["airflow"]["kerberos_environment"] == {"KRB5CCNAME": "FILE:/run/airflow-kerberos/ccache"}
    assert nodes["w2"]["airflow"]["kerberos_environment"] == {}
    assert {unit["unit"] for unit in nodes["w1"]["airflow"]["units"]} == {"airflow-kerberos", "airflow-worker@default"}


def test_a_configuration_of_ours_takes_the_place_of_the_hosts_own():
    for changes in ({"airflow_kerberos_realm": "X"}, {"airflow_kerberos_config_file": "/x"}):
        found = model.environment(RENEWERS[-2], defaults(**changes))
        assert found["KRB5_CONFIG"] == "/etc/airflow/krb5.conf"


def test_security_has_an_effect_where_a_ticket_is_renewed():
    assert effects.check_options([], renews=True) == []
