"""Unconfirmed rules are replaced by the earlier ones, rules that were removed by hand return, other tables do not
change."""

from __future__ import annotations

import json

import pytest
from cluster_access import ansible, through_docker, wait_until

TABLE = "nft --stateless list table inet flightdeck"
# Drops everything from other hosts, SSH and Ansible included, but for what these tests come in by.
SHUT = """table inet flightdeck
delete table inet flightdeck
table inet flightdeck {
    chain input {
        type filter hook input priority filter; policy drop;
        iif lo accept
    }
}
"""
# The trial has to outlast the module's end and one command.
GUARD_SECONDS = 10
# By hand: all rules but the one without which the host's own services lose each other.
EMPTY = "nft 'flush chain inet flightdeck input; add rule inet flightdeck input iif lo accept'"


@pytest.fixture
def name(cluster):
    if not cluster.model["firewall"]:
        pytest.skip("the scenario has no firewall")
    # Nothing else depends on a worker while it cannot be reached.
    return cluster.model["hosts_of"]["worker"][-1]["name"]


@pytest.fixture
def firewall(name, cluster):
    """Run the module on the host from inside: the rules here keep SSH out."""
    return lambda arguments: ansible(
        name,
        "-m",
        "flightdeck.airflow.firewall",
        "-a",
        json.dumps(arguments),
        *through_docker(cluster.containers[name]),
    )


def test_unconfirmed_rules_are_replaced_by_the_earlier_ones(name, host_named, firewall):
    host = host_named(name)
    before = host.check_output(TABLE)
    arguments = {"rules": SHUT, "guard_seconds": GUARD_SECONDS, "confirm": False}
    firewall(arguments)
    assert "dport" not in host.check_output(TABLE)
    assert "dport" in host.check_output("cat /etc/flightdeck/firewall.nft")
    # A second run that comes in over the old connection: what it would bring back is not the first one's trial.
    firewall(arguments)
    wait_until("the timer brings the rules back", lambda: host.check_output(TABLE) == before, GUARD_SECONDS + 10)


@pytest.mark.parametrize("damage", [EMPTY, "systemctl stop flightdeck-firewall"], ids=["emptied", "stopped"])
def test_rules_that_were_removed_by_hand_return(name, host_named, firewall, damage):
    host = host_named(name)
    before, rules = host.check_output(TABLE), host.check_output("cat /etc/flightdeck/firewall.nft") + "\n"
    host.check_output(damage)
    assert "CHANGED" in firewall({"rules": rules})
    assert host.check_output(TABLE) == before
    assert "CHANGED" not in firewall({"rules": rules})
    assert host.service("flightdeck-firewall").is_running


# In the place of Debian's commands, which take away all tables: with them, the container's name resolution would be
# gone for good.
FLUSH = "-/usr/sbin/nft delete table inet flightdeck"
DROP_IN = (
    f"[Service]\\nExecStart=\\nExecStart={FLUSH}\\nExecReload=\\nExecReload={FLUSH}\\nExecStop=\\nExecStop={FLUSH}\\n"
)


@pytest.fixture
def flusher(name, host_named):
    """Debian's service, running."""
    host = host_named(name)
    folder = "/run/systemd/system/nftables.service.d"
    host.check_output(
        f"mkdir -p {folder} && printf '{DROP_IN}' > {folder}/test.conf && systemctl daemon-reload && systemctl "
        "start nftables"
    )
    yield host
    host.check_output(
        f"systemctl stop nftables; rm -r {folder}; systemctl daemon-reload; systemctl restart flightdeck-firewall"
    )


@pytest.mark.parametrize("verb", ["restart", "reload"])
def test_a_flush_by_debians_service_does_not_last(flusher, verb):
    flusher.check_output("systemctl restart flightdeck-firewall")
    before = flusher.check_output(TABLE)
    flusher.check_output("systemctl %s nftables", verb)
    wait_until("the rules come back", lambda: flusher.run(TABLE).stdout.strip() == before, 10)


def test_ours_comes_after_debians_service_at_boot(name, host_named):
    after = host_named(name).check_output("systemctl show --property=After,WantedBy,Before flightdeck-firewall")
    assert "nftables.service" in next(line for line in after.splitlines() if line.startswith("After="))
    assert "sysinit.target" in next(line for line in after.splitlines() if line.startswith("WantedBy="))
    assert "network-pre.target" in next(line for line in after.splitlines() if line.startswith("Before="))
