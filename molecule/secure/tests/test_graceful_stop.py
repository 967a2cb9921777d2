"""A webserver that is stopped answers what it was asked before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from cluster_access import access, service, wait_until
from dag_runs import DagRuns
from load_balancer import statistics
from test_secret_rotation import query

WEBSERVER = "airflow-api-server"
REQUESTS = 4
HOLDER = "flightdeck-lock"
# Every request for a new run waits for it.
LOCK = "BEGIN; LOCK TABLE dag_run IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)"
LOCKED = "SELECT 1 FROM pg_locks WHERE relation = 'dag_run'::regclass AND mode = 'AccessExclusiveLock' AND granted"
# What api-servers do for a new run, and schedulers do not.
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO dag_run %'"
# The server does not see that its client is gone while it sleeps.
UNLOCK = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{HOLDER}'"


@pytest.fixture
def unlock(host_named):
    """New runs wait until this is called."""
    server = host_named(access().model["hosts_of"]["metastore"][0]["name"])
    psql = "psql --username=postgres --dbname=airflow --command=%s"
    server.check_output(f"systemd-run --collect --unit={HOLDER} --setenv=PGAPPNAME={HOLDER} {psql}", LOCK)
    try:
        wait_until("the table is locked", lambda: query(host_named, LOCKED) == "1", 30)
        yield lambda: query(host_named, UNLOCK)
    finally:
        query(host_named, UNLOCK)


def test_a_webserver_that_stops_answers_what_it_was_asked(host_named, unlock):
    balancer = host_named(access().model["hosts_of"]["haproxy"][0]["name"])
    leaving = access().model["hosts_of"]["webserver"][0]["name"]

    def shown(column):
        return statistics(balancer, "web", column)[leaving]

    runs = DagRuns(access())
    with ThreadPoolExecutor(REQUESTS) as clients:
        started = [clients.submit(runs.start, instances={}) for _ in range(REQUESTS)]
        wait_until("the webservers work on all", lambda: query(host_named, WAITING) == str(REQUESTS), 30)
        asked = int(shown("scur"))
        assert asked > 0
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
