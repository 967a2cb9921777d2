"""Paths on the hosts that more than one role uses."""

from __future__ import annotations

# With TLS: what proves the others to this host, and this host to the others.
CA = "ca.crt"
# Authorities that Debian trusts, for servers that are not the collection's.
SYSTEM_CA_FILE = "/etc/ssl/certs/ca-certificates.crt"
# What proves a broker and a metastore to it that are not the collection's; there for some clusters only.
BROKER_CA = "broker_ca.crt"
METASTORE_CA = "metastore_ca.crt"
SERVER = ("server.crt", "server.key")
# An empty file, which a component sees in place of a secret that is not its own.
NOTHING = "/etc/airflow/nothing"
SECRETS_DIR = "/etc/airflow/secrets"
# MySQL's client library takes "insist on TLS, and on the server's name" from an option file only.
OPTION_FILE = "/etc/airflow/mysql.cnf"
