# Copyright flightdeck.airflow contributors
# GNU General Public License v3.0+ (LICENSES/GPL-3.0-or-later.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths on the hosts that more than one role uses."""

from __future__ import annotations

# With TLS: the CA certificate that verifies the other hosts, and the certificate of this one.
CA = "ca.crt"
# CA certificates that Debian trusts, for external servers.
SYSTEM_CA_FILE = "/etc/ssl/certs/ca-certificates.crt"
# CA certificates of an external broker and an external metastore; some clusters have them.
BROKER_CA = "broker_ca.crt"
METASTORE_CA = "metastore_ca.crt"
# The same on the repository host, which dumps an external metastore by this program.
BACKUP_CA = "/etc/flightdeck-backup/metastore_ca.crt"
DUMP = "/usr/local/sbin/flightdeck-dump"
# CA certificates of the server that people log in by; some clusters have them.
LOGIN_CA = "login_ca.crt"
SERVER = ("server.crt", "server.key")
# An empty file, which a component sees in place of a secret that is not its own.
NOTHING = "/etc/airflow/nothing"
SECRETS_DIR = "/etc/airflow/secrets"
# What the user adds: files, and the environment of single components.
FILES_DIR = "/etc/airflow/files"
ENVIRONMENT_DIR = "/etc/airflow/environment.d"
# Revisions of the user's plugins and modules, and the link to the one that counts.
CODE_DIR = "/etc/airflow/code"
# Fingerprint of the DAG bundles that the host was found to reach.
DAG_BUNDLES_RECORD = "/etc/airflow/dag_bundles"
# How people log in: Airflow's own name for it.
WEBSERVER_CONFIG = "/etc/airflow/webserver_config.py"
# Debian's client for LDAP in Airflow's path, by name the file of Debian that it links to, without its directory. The
# library of a Python has its version and the machine in its name.
PYTHON_DIR = "/etc/airflow/python"
LDAP_LINKS = ("ldap", "ldapurl.py", "ldif.py", "_ldap.so")
# MySQL's client library takes "insist on TLS, and on the server's name" from an option file only.
OPTION_FILE = "/etc/airflow/mysql.cnf"
# Kerberos: the keys of the renewer's account, the configuration, the program in the place of kinit, and the ticket.
KERBEROS_KEYTAB = "/etc/airflow/kerberos.keytab"
KERBEROS_CONFIG = "/etc/airflow/krb5.conf"
KINIT = "/usr/local/sbin/flightdeck-kinit"
KERBEROS_CACHE = "/run/airflow-kerberos/ccache"
