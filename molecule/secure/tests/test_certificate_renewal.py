"""The play that created the certificates renews them, and no user notices."""

from __future__ import annotations

import json
import ssl
import threading
import time
from pathlib import Path

import requests
from cluster_access import ansible, changes
from load import TIMEOUT

ROOT = Path(__file__).parents[3]
# More than a certificate lives: each is due.
DUE = json.dumps({"airflow_certificate_renew_days": 366})


def play(*arguments):
    return ansible(str(ROOT / "site.yml"), *arguments, program="ansible-playbook", timeout=900)


def served(cluster):
    """The certificates that clients are shown, by host and port."""
    found = {}
    for name, node in cluster.model["nodes"].items():
        ports = [
            listener["port"] for listener in node.get("haproxy", {}).get("listeners", []) if listener["mode"] == "http"
        ]
        ports += [node["rabbitmq"]["port"]] if "rabbitmq" in node else []
        for port in ports:
            found[name, port] = ssl.get_server_certificate((node["address"], port))
    for host in cluster.model["hosts_of"]["webserver"]:
        found[host["name"], "api-server"] = ssl.get_server_certificate((host["address"], 8081))
    return found


def test_a_renewal_fails_no_request(cluster):
    before = served(cluster)
    failures, count, stop = [], 0, threading.Event()

    def probe():
        nonlocal count
        while not stop.wait(0.2):
            count += 1
            try:
                answer = requests.get(f"{cluster.url}/api/v2/version", timeout=TIMEOUT)
                if answer.status_code != 200:
                    failures.append(f"{time.strftime('%H:%M:%S')} status {answer.status_code}")
            except requests.RequestException as error:
                failures.append(f"{time.strftime('%H:%M:%S')} {error}")

    prober = threading.Thread(target=probe)
    prober.start()
    started = time.monotonic()
    try:
        play("-e", DUE)
    finally:
        stop.set()
        prober.join()
    after = served(cluster)
    print(f"{count} requests in {time.monotonic() - started:.0f} s, {len(failures)} failed")
    assert failures == []
    assert [place for place in before if before[place] == after[place]] == []


def test_a_renewal_is_not_repeated():
    assert changes(play()) == {}
