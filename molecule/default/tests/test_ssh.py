"""The hosts are reached as most are: over SSH, as a user who is not root and whom sudo asks for a password."""

from __future__ import annotations

import hashlib
import json

import pytest
from cluster_access import ansible, wait_until

USER = "operator"
# Where the host that builds releases is.
HOST = "master1"
ARCHIVE = "/root/test-release.tar.zst"
TABLE = "nft --stateless list table inet flightdeck"
# As ours, but that no new connection gets in.
SHUT = """table inet flightdeck
delete table inet flightdeck
table inet flightdeck {
    chain input {
        type filter hook input priority filter; policy drop;
        iif lo accept
        ct state established,related accept
    }
}
"""
LEFT = f"/home/{USER}/.ansible/tmp/ansible-tmp-1-2-3"


@pytest.fixture
def archive(host_named):
    """The digest of a file that only root may read."""
    host = host_named(HOST)
    host.check_output("install --mode 0600 /dev/null %s && head --bytes 64M /dev/urandom > %s", ARCHIVE, ARCHIVE)
    yield host.check_output("sha256sum %s", ARCHIVE).split()[0]
    host.check_output("rm %s", ARCHIVE)


def test_nothing_but_the_key_and_the_password_opens_a_host(host_named):
    host = host_named(HOST)
    assert host.run("runuser -u %s -- sudo --non-interactive true", USER).failed
    settings = host.check_output("/usr/sbin/sshd -T")
    assert "permitrootlogin no" in settings and "passwordauthentication no" in settings
    plain = ansible(HOST, "-m", "ansible.builtin.command", "-a", "id --user", "-e", "ansible_become=false")
    assert plain.splitlines()[-1] == host.check_output("id --user %s", USER)


def test_an_archive_travels_as_a_file(archive, host_named, tmp_path):
    host = host_named(HOST)
    host.check_output(
        "install --directory --owner %s %s && install --owner %s /dev/null %s/test-release.tar.zst",
        USER,
        LEFT,
        USER,
        LEFT,
    )
    dest = tmp_path / "release.tar.zst"
    said = ansible(
        HOST, "-vvv", "-m", "flightdeck.airflow.release_archive", "-a", json.dumps({"path": ARCHIVE, "dest": str(dest)})
    )
    assert hashlib.sha256(dest.read_bytes()).hexdigest() == archive
    assert "release_archive.py" in said and "slurp" not in said
    left = host.check_output("find /home/%s/.ansible -type f", USER)
    assert not left, left
    assert host.check_output("stat --format '%%U %%a' %s", ARCHIVE) == "root 600"


def test_no_archive_stays_on_a_host_after_a_deployment(cluster, host_named):
    for name in cluster.model["nodes"]:
        # Not every host has all of these.
        assert not host_named(name).run("find /home/%s /root /opt/airflow -name '*.tar.zst*'", USER).stdout, name


def test_rules_that_keep_ansible_out_are_taken_back(cluster, host_named):
    # Nothing else depends on a worker while it cannot be reached.
    name = cluster.model["hosts_of"]["worker"][-1]["name"]
    host = host_named(name)
    before = host.check_output(TABLE)
    # Sooner than the rules come back, the connection is given up.
    arguments = json.dumps({"rules": SHUT, "guard_seconds": 40})
    with pytest.raises(RuntimeError, match="airflow_firewall_ssh_ports"):
        ansible(name, "-m", "flightdeck.airflow.firewall", "-a", arguments, "-e", "ansible_ssh_timeout=10")
    assert "dport" not in host.check_output(TABLE)
    wait_until("the earlier rules are back", lambda: host.check_output(TABLE) == before, 90)
    assert "pong" in ansible(name, "-m", "ansible.builtin.ping")
