"""The journals of all hosts are on the monitoring host, are found there, and travel unreadable; none is lost."""

from __future__ import annotations

import json
import re
import subprocess
import time
import uuid

import pytest
from cluster_access import wait_until
from dag_runs import DagRuns
from test_monitoring import MASTER, ONE_TASK, SERVER, WORKER

RECEIVER = "flightdeck-journal-receiver.service"
SENDER = "flightdeck-journal-sender.service"
SETTINGS = "/etc/flightdeck-journal-receiver/receiver.json"
HOSTS = (MASTER, WORKER, SERVER)
UNITS = {
    MASTER: ("airflow-api-server", "airflow-scheduler", "airflow-triggerer", "haproxy", "postgresql@15-main"),
    WORKER: ("airflow-worker@default", "prometheus-node-exporter"),
    SERVER: ("prometheus", "prometheus-alertmanager", "flightdeck-journal-receiver"),
}
# Packets that leave and reach a host, as they are.
CAPTURE = (
    "import socket; wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3));"
    ' wire.bind(("eth0", 0)); out = open("/run/wire.bin", "wb", buffering=0);'
    " any(out.write(wire.recv(65536)) < 0 for _ in iter(int, 1))"
)


@pytest.fixture(scope="module")
def search(host_named):
    """What flightdeck-journal shows for options."""
    server = host_named(SERVER)

    def show(*options):
        done = server.run(f"flightdeck-journal --output=cat {' '.join(options)}")
        return done.stdout.splitlines()

    return show


def write(host, count=1):
    """Have a unit of ``host`` write lines of its own: the unit, and the lines."""
    unit = f"probe-{uuid.uuid4().hex[:12]}"
    lines = [f"{unit} line {number}" for number in range(count)]
    host.check_output(f"systemd-run --unit={unit} sh -c 'for i in $(seq 0 {count - 1}); do echo {unit} line $i; done'")
    return unit, lines


def arrive(search, host, unit, lines):
    wait_until(f"lines of {unit} arrive", lambda: set(search("--host", host, "--unit", unit)) >= set(lines), 90)


@pytest.mark.parametrize("name", HOSTS)
def test_a_line_of_a_unit_of_each_host_is_found(search, host_named, name):
    arrive(search, name, *write(host_named(name)))
    assert name in search("--hosts")


@pytest.mark.parametrize(("name", "unit"), [(name, unit) for name, units in UNITS.items() for unit in units])
def test_lines_of_every_service_are_found(search, name, unit):
    wait_until(f"{unit} of {name} is found", lambda: search("--host", name, "--unit", unit, "--lines=1"), 60)
    others = [each for each in HOSTS if each != name]
    if unit != "prometheus-node-exporter":
        assert not [each for each in others if search("--host", each, "--unit", unit, "--lines=1")]


def test_lines_of_a_dag_run_are_found_on_all_hosts(cluster, search):
    runs = DagRuns(cluster)
    run = runs.start(**ONE_TASK)
    runs.succeed(run)
    for name, unit in ((MASTER, "airflow-scheduler"), (WORKER, "airflow-worker@default")):
        wait_until(
            f"{run} is found on {name}",
            lambda name=name, unit=unit: search("--host", name, "--unit", unit, "--dag-run", run),
            60,
        )
    assert not search("--dag-run", run[:-1])


def test_airflows_services_write_json(search):
    for name, units in UNITS.items():
        for unit in units:
            if not unit.startswith("airflow-"):
                continue
            lines = search("--host", name, "--unit", unit, "--lines=200")
            written = [line for line in lines if line.startswith("{")]
            assert written, (unit, lines)
            for line in written:
                assert {"event", "level", "timestamp"} <= json.loads(line).keys()


def test_an_unavailable_monitoring_host_loses_nothing(cluster, search, host_named):
    hosts = {name: host_named(name) for name in (MASTER, WORKER)}
    container = cluster.containers[SERVER]
    arrive(search, WORKER, *write(hosts[WORKER]))
    subprocess.run(["docker", "pause", container], check=True, capture_output=True)
    try:
        written = [(name, *write(host, 500)) for name, host in hosts.items()]
        time.sleep(10)
        written += [(name, *write(host, 5)) for name, host in hosts.items()]
    finally:
        subprocess.run(["docker", "unpause", container], check=True, capture_output=True)
    # Processes that are killed, as by a lack of power.
    server = host_named(SERVER)
    server.check_output(f"systemctl kill --signal=KILL {RECEIVER}")
    written += [(name, *write(host, 5)) for name, host in hosts.items()]
    for name, unit, lines in written:
        arrive(search, name, unit, lines)


def test_nothing_travels_readable(cluster, search, host_named):
    """What leaves a host while its lines are sent does not have them."""
    worker = host_named(WORKER)
    port = cluster.model["nodes"][SERVER]["journal_receiver"]["port"]
    worker.check_output("rm -f /run/wire.bin")
    worker.check_output(f"systemd-run --unit=wire python3 -c '{CAPTURE}'")
    try:
        wait_until("packets are captured", lambda: worker.file("/run/wire.bin").exists, 30)
        unit, lines = write(worker, 20)
        arrive(search, WORKER, unit, lines)
    finally:
        worker.check_output("systemctl stop wire.service")
    assert (
        worker.run(f"grep --text --quiet --perl-regexp '\\x{port >> 8:02x}\\x{port & 255:02x}' /run/wire.bin").rc == 0
    )
    assert worker.run(f"grep --text --quiet {unit} /run/wire.bin").rc == 1


def test_who_has_no_certificate_of_a_host_sends_nothing(cluster, host_named):
    node = cluster.model["nodes"][SERVER]
    where = f"https://{node['address']}:{node['journal_receiver']['port']}/upload"
    worker = host_named(WORKER)
    own = "/etc/flightdeck-journal/airflow-tls"
    worker.check_output(
        "openssl req -x509 -newkey ed25519 -nodes -days 1 -subj /CN=node1 -keyout /run/x.key -out /run/x.crt"
    )
    for given in ("", "--cert /run/x.crt --key /run/x.key"):
        python = (
            "import ssl, sys, urllib.request as u; c = ssl.create_default_context(cafile=sys.argv[2]);"
            "len(sys.argv) > 3 and c.load_cert_chain(sys.argv[4], sys.argv[6]);"
            "u.urlopen(u.Request(sys.argv[1], b'MESSAGE=x\\n\\n',"
            "{'Content-Type': 'application/vnd.fdo.journal'}), context=c, timeout=10)"
        )
        done = worker.run(f'python3 -c "{python}" {where} {own}/ca.crt {given}')
        assert done.rc
        assert re.search("alert|EOF|reset|closed", done.stderr, re.IGNORECASE), done.stderr


def test_only_root_reads_them_and_no_secret_is_in_them(cluster, host_named):
    server = host_named(SERVER)
    assert server.run("setpriv --reuid=prometheus --regid=prometheus --clear-groups flightdeck-journal --hosts").rc
    text = server.check_output("flightdeck-journal --output=json -- --all --lines=all")
    secrets = {name: value for name, value in cluster.secrets.items() if isinstance(value, str) and len(value) >= 12}
    # A URL that the inventory gives, without a token.
    del secrets["alert_webhook_url"]
    assert not [name for name, value in secrets.items() if value in text]
    # Tokens of tasks.
    assert not re.search(r"eyJ[\w-]{20,}[.]eyJ", text)


def test_with_too_little_room_the_oldest_go_and_new_lines_come(search, host_named):
    server = host_named(SERVER)
    before = json.loads(server.check_output(f"cat {SETTINGS}"))
    assert before["retention_days"] == 7
    assert before["max_bytes"] == 2 * 1024**3
    size = "du --summarize --block-size=1M /var/log/flightdeck-journal"
    unit, lines = write(host_named(WORKER))
    arrive(search, WORKER, unit, lines)
    server.check_output(f'sed -i.kept \'s/"max_bytes": [0-9]*/"max_bytes": 1/\' {SETTINGS}')
    try:
        server.check_output(f"systemctl restart {RECEIVER}")
        largest = "ls --size /var/log/flightdeck-journal"
        wait_until("old lines go", lambda: "removed" in server.check_output(f"journalctl -u {RECEIVER} -n 20"), 60)
        print(server.check_output(size), server.check_output(largest))
    finally:
        server.check_output(f"mv {SETTINGS}.kept {SETTINGS}")
        server.check_output(f"systemctl restart {RECEIVER}")
    for name in HOSTS:
        arrive(search, name, *write(host_named(name)))


def test_senders_stay_small(host_named):
    for name in HOSTS:
        memory = host_named(name).check_output(f"systemctl show --property=MemoryMax --value {SENDER}")
        assert int(memory) == 192 * 1024**2
