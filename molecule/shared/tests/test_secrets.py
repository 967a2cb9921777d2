"""Each host holds the secrets that its components need, and no other user can read them."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit

import pytest
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.modes import MODES
from ansible_collections.flightdeck.airflow.plugins.plugin_utils._catalog.services import COMPONENT


def modes_of(cluster, name):
    """Modes of the components of a host."""
    wrappers = cluster.model["nodes"][name]["airflow"]["wrappers"].values()
    return [mode for mode in MODES if mode.name in [wrapper["name"] for wrapper in wrappers]]


def ca_files(cluster):
    """The certificates that every Airflow process may need."""
    tls = {"ca.crt"} if cluster.model["tls"]["enabled"] else set()
    return tls | ({"metastore_ca.crt"} if "metastore_ca" in cluster.secrets else set())


def secret_texts(cluster):
    """Every secret, and the password of each that is a URL, as it is and as it stands in another one."""
    values = [value for name, value in cluster.secrets.items() if isinstance(value, str) and name != "metastore_ca"]
    passwords = [unquote(urlsplit(value).password or "") for value in values if "://" in value]
    return [value for value in (*values, *passwords, *(quote(each, safe="") for each in passwords)) if len(value) >= 16]


def test_a_host_has_just_its_secrets(cluster, host_named):
    for name in cluster.model["airflow_hosts"]:
        host = host_named(name)
        lines = host.check_output("stat -c '%n %U:%G %a' /etc/airflow/secrets/*").splitlines()
        assert all(line.endswith("root:airflow 640") for line in lines)
        if cluster.model["version"]["major"] >= 3:
            found = {line.split()[0].rsplit("/", 1)[1] for line in lines}
            components = cluster.model["nodes"][name]["components"]
            needed = {file for component in components for file in COMPONENT[component].secrets[3]}
            needed |= ca_files(cluster)
            needed |= {
                file for mode in modes_of(cluster, name) for file in (*mode.secret_files, *mode.replaced_files.values())
            }
            if cluster.model["tls"]["enabled"] and any(COMPONENT[component].certificate for component in components):
                needed |= {"server.crt", "server.key"}
            assert found == needed
        assert host.check_output("stat -c '%U:%G %a' /etc/airflow/secrets") == "root:airflow 750"


def test_no_secret_outside_its_file(cluster, host_named):
    values = secret_texts(cluster)
    for name in cluster.model["airflow_hosts"]:
        host = host_named(name)
        seen = host.check_output("cat /etc/airflow/airflow.cfg /etc/airflow/environment")
        seen += host.check_output("find /etc/systemd/system -path '*/airflow-*' -type f -exec cat '{}' +")
        seen += host.check_output(
            "for f in /proc/[0-9]*/cmdline /proc/[0-9]*/environ; do tr '\\0' ' ' < $f 2>/dev/null || true; done"
        )
        seen += host.check_output("journalctl --no-pager --output=cat")
        assert not [value[:3] + "..." for value in values if value in seen], name


@pytest.mark.group("worker")
def test_others_cannot_read_a_secret(member, host_named):
    assert (
        host_named(member)
        .run("setpriv --reuid=nobody --regid=nogroup --clear-groups cat /etc/airflow/secrets/broker_url")
        .rc
        != 0
    )
