"""From a host of every group every port of every host is tried, and what is open is what the matrix says."""

from __future__ import annotations

import concurrent.futures
import json

import pytest

# Seconds after which a silent port is closed; packets between containers take microseconds.
TIMEOUT = 2
PROBE = """
import concurrent.futures, json, socket, sys
def is_open(target):
    try:
        socket.create_connection(tuple(target), timeout={timeout}).close()
        return True
    except ConnectionRefusedError:
        # The packet came through: no process listens there, but the firewall is open.
        return True
    except OSError:
        return False
targets = json.load(sys.stdin)
with concurrent.futures.ThreadPoolExecutor(400) as pool:
    print(json.dumps([target for target, reached in zip(targets, pool.map(is_open, targets)) if reached]))
"""
# Not in the matrix of any host: closed everywhere.
CLOSED = (9100, 65000)


@pytest.fixture(autouse=True)
def closed(cluster):
    if not cluster.model["firewall"]:
        pytest.skip("the scenario has no firewall")


def numbers(port):
    """The ports of a rule, which may be a range."""
    first, _dash, last = str(port).partition("-")
    return range(int(first), int(last or first) + 1)


def matrix(cluster):
    """Open ports of each host with the addresses that they are open for; empty for everybody."""
    found = {}
    for name, node in cluster.model["nodes"].items():
        tcp = [rule for rule in node["firewall"]["rules"] if rule["port"] != "vrrp"]
        rules = {port: rule["sources"] for rule in tcp for port in numbers(rule["port"])}
        found[name] = {**rules, **dict.fromkeys(node["firewall"]["ssh_ports"], node["firewall"]["ssh_sources"])}
    return found


def test_the_matrix_is_what_hosts_meet(cluster, host_named):
    nodes = cluster.model["nodes"]
    ports = matrix(cluster)
    everything = sorted({port for rules in ports.values() for port in rules} | set(CLOSED))

    def reached_from(name):
        """Addresses and ports of others that answer a host."""
        targets = [
            (other["address"], port) for other_name, other in nodes.items() if other_name != name for port in everything
        ]
        command = f"echo '{json.dumps(targets)}' | python3 -c '{PROBE.format(timeout=TIMEOUT)}'"
        return {tuple(target) for target in json.loads(host_named(name).check_output("sh -c %s", command))}

    wrong = []
    with concurrent.futures.ThreadPoolExecutor() as pool:
        reached = dict(zip(nodes, pool.map(reached_from, nodes), strict=True))
    for name, node in nodes.items():
        for other_name, other in nodes.items():
            if other_name == name:
                continue
            wanted = {port for port, sources in ports[other_name].items() if not sources or node["address"] in sources}
            found = {port for address, port in reached[name] if address == other["address"]}
            wrong += [f"{name} -> {other_name}:{port} is open" for port in found - wanted]
            wrong += [f"{name} -> {other_name}:{port} is closed" for port in wanted - found]
    assert wrong == []


def test_other_tables_are_left_alone(cluster, host_named):
    host = host_named(next(iter(cluster.model["nodes"])))
    host.check_output("nft add table inet unmanaged")
    host.check_output("nft -f /etc/flightdeck/firewall.nft")
    tables = host.check_output("nft list tables")
    host.check_output("nft delete table inet unmanaged")
    assert "unmanaged" in tables
    # The rules of the container's name resolution, which a flush would take away.
    assert "table inet flightdeck" in tables


def test_the_rules_come_back_at_boot_and_leave_with_their_service(cluster, host_named):
    for name in cluster.model["nodes"]:
        host = host_named(name)
        assert host.service("flightdeck-firewall").is_enabled, name
    host.check_output("systemctl stop flightdeck-firewall")
    assert "flightdeck" not in host.check_output("nft list tables")
    host.check_output("systemctl start flightdeck-firewall")
    assert "flightdeck" in host.check_output("nft list tables")
