"""What the drivers for MySQL read: both insist on a verified server, as far as they can."""

from __future__ import annotations

import configparser
import datetime
import ssl

from ansible_collections.flightdeck.airflow.plugins.plugin_utils._controller import certificates
from test_golden import template


def values(ca_file):
    return {"airflow_cluster": {"metastore": {"ca_file": ca_file}}, "ansible_managed": "Managed by Ansible"}


def test_the_option_file_asks_for_verified_encryption():
    options = configparser.RawConfigParser()
    options.read_string(template("etc/airflow/mysql.cnf.j2", values("/ca")))
    assert dict(options["client"]) == {"ssl-ca": "/ca", "ssl-verify-server-cert": "1"}


def test_the_async_engine_verifies_the_name(tmp_path):
    ca_file = tmp_path / "ca.crt"
    ca_file.write_text(certificates.make_ca("theirs", datetime.datetime.now(datetime.UTC))["certificate"])
    module: dict = {}
    exec(template("etc/airflow/python/flightdeck_metastore.py.j2", values(str(ca_file))), module)
    context = module["connect_args"]["ssl"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert len(context.get_ca_certs()) == 1
