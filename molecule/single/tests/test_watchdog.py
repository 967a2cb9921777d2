"""A service that runs but does nothing is restarted; systemd alone would never notice."""

from __future__ import annotations

from cluster_access import wait_until

UNIT = "airflow-api-server"


def main_pid(host):
    return host.check_output("systemctl show --property=MainPID --value %s.service", UNIT)


def test_a_frozen_webserver_is_restarted(host_named):
    host = host_named("node1")
    before = main_pid(host)
    host.check_output("systemctl kill --signal=STOP %s.service", UNIT)
    assert host.run("airflow-health %s", UNIT).rc != 0
    wait_until("the watchdog restarts it", lambda: main_pid(host) not in ("0", before), 240, every=1.0, promised=True)
    wait_until("it does its work again", lambda: host.run("airflow-health %s", UNIT).rc == 0, 120, every=2.0)
