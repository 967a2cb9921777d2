"""A webserver that is stopped answers what it was asked before."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor

import pytest
from cluster_access import access, service, wait_until
from dag_runs import DagRuns

WEBSERVER = "airflow-api-server"
PSQL = "runuser --user postgres -- psql --no-align --tuples-only --quiet --dbname=airflow --command=%s"
HOLDER = "flightdeck-lock"
# Every request for a new run waits for it.
LOCK = "BEGIN; LOCK TABLE dag_run IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)"
# The server does not see that its client is gone while it sleeps.
UNLOCK = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{HOLDER}'"
LOCKED = "SELECT 1 FROM pg_locks WHERE relation = 'dag_run'::regclass AND mode = 'AccessExclusiveLock' AND granted"


@pytest.fixture
def unlock(host_named):
    """New runs wait until this is called."""
    server = host_named(access().model["hosts_of"]["metastore"][0]["name"])
    server.check_output(f"systemd-run --unit={HOLDER} --setenv=PGAPPNAME={HOLDER} {PSQL}", LOCK)

    def end():
        server.check_output(PSQL, UNLOCK)

    try:
        wait_until("the table is locked", lambda: server.check_output(PSQL, LOCKED) == "1", 30)
        yield end
    finally:
        end()


def test_a_webserver_that_stops_answers_what_it_was_asked(host_named, unlock):
    balancer = host_named(access().model["hosts_of"]["haproxy"][0]["name"])
    leaving = access().model["hosts_of"]["webserver"][0]["name"]

    def shown(column):
        text = balancer.check_output("echo show stat web 4 -1 | socat - /run/haproxy/admin.sock")
        rows = csv.DictReader(text.removeprefix("# ").strip().splitlines())
        return {row["svname"]: row[column] for row in rows}[leaving]

    runs = DagRuns(access())
    with ThreadPoolExecutor(4) as clients:
        started = [clients.submit(runs.start, instances={}) for _ in range(4)]
        wait_until("the webserver has some of the requests", lambda: int(shown("scur")) > 0, 30)
        asked = int(shown("scur"))
        try:
            host_named(leaving).check_output("systemctl stop --no-block %s", WEBSERVER)
            wait_until("the load balancer has seen it", lambda: shown("status").startswith("DOWN"), 30)
            assert int(shown("scur")) == asked
            unlock()
            for run in started:
                runs.succeed(run.result())
        finally:
            service(leaving, WEBSERVER, "started")
    wait_until("it is back", lambda: shown("status") == "UP", 120)
