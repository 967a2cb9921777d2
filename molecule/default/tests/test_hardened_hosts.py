"""On hardened hosts, modes are those that the collection decides, and services find each other without DNS."""

from __future__ import annotations

import json
import stat

import pytest
from cluster_access import rabbitmqctl

PLACES = ("/opt/airflow/releases", "/opt/airflow/current/", "/usr/local/bin", "/usr/local/sbin")
# What another account cannot read, enter or run, or can write.
WRONG = "'(' '!' -perm -a+r -o -perm /go+w -o -type d '!' -perm -a+x ')'"


def test_the_hosts_are_hardened(cluster, host_named):
    for name in cluster.model["nodes"]:
        host = host_named(name)
        assert "use_pty" in host.check_output("cat /etc/sudoers.d/lab")
        assert "noexec" in host.check_output("findmnt --noheadings --output OPTIONS /tmp")
        assert host.check_output("hostname").startswith("ip-")
        # No name of the inventory comes from DNS.
        assert host.run("getent -s hosts:dns ahostsv4 mq1").rc != 0


@pytest.mark.group("worker")
def test_every_account_reads_a_release_and_root_alone_writes_it(member, host_named):
    host = host_named(member)
    for place in PLACES:
        assert host.check_output(f"find {place} -xdev '!' -type l {WRONG} -print -quit") == "", place
    host.check_output("runuser -u daemon -- /opt/airflow/current/bin/python -c 'import celery, sqlalchemy'")


def test_directories_above_what_the_roles_write_are_open(cluster, host_named):
    for name in cluster.model["nodes"]:
        host = host_named(name)
        for path in ("/etc/airflow", "/etc/haproxy", "/etc/systemd/system", "/opt/airflow"):
            if host.file(path).exists:
                assert stat.S_IMODE(host.file(path).mode) == 0o755, (name, path)


def test_cloud_init_would_keep_the_names(cluster, host_named):
    for name in cluster.model["nodes"]:
        host = host_named(name)
        for path in ("/etc/hosts", "/etc/cloud/templates/hosts.debian.tmpl"):
            lines = host.check_output("cat %s", path).splitlines()
            assert {f"{each['address']} {each['name']}" for each in cluster.model["hosts_entries"]} <= set(lines), (
                name,
                path,
            )
        assert stat.S_IMODE(host.file("/etc/hosts").mode) == 0o644


def test_brokers_have_the_names_of_the_inventory(host_named):
    shown = rabbitmqctl(host_named("mq1"), "cluster_status --formatter json")
    assert sorted(json.loads(shown)["running_nodes"]) == ["rabbit@mq1", "rabbit@mq2", "rabbit@mq3"]
