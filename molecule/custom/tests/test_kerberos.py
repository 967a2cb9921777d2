"""The renewer of Kerberos tickets: tasks use what it renews, and it says so when there is none.

A ticket of this KDC lives for a minute, and is renewed every 20 s.
"""

from __future__ import annotations

import subprocess

from changes import change
from cluster_access import wait_until
from outside import run_in
from tasks import in_task

WORKER, KDC = "fd-custom-worker1", "fd-custom-outside"
CACHE = "/run/airflow-kerberos/ccache"
KEYTAB = "/etc/airflow/kerberos.keytab"


def health() -> tuple[int, str]:
    """Exit code and text of the health check."""
    command = ["docker", "exec", WORKER, "airflow-health", "airflow-kerberos"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def process() -> str:
    """The process of the renewer."""
    return run_in(WORKER, "systemctl", "show", "--property=MainPID,NRestarts", "airflow-kerberos")


def test_a_task_has_a_ticket_and_no_key(cluster):
    body = f"""
import subprocess
def said(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout + done.stderr
from airflow.configuration import conf
return [said("kvno", "HTTP/outside"), said("klist"), said("cat", "{KEYTAB}"), conf.get("core", "security")]
"""
    service, tickets, key, security = in_task(cluster, body.strip())
    assert "HTTP/outside@EXAMPLE.ORG: kvno = " in service
    assert "Default principal: airflow/worker1@EXAMPLE.ORG" in tickets
    assert "Permission denied" in key
    assert security == "kerberos"


def test_owners():
    shown = run_in(WORKER, "stat", "--format=%U:%G %a", KEYTAB, CACHE).split("\n")
    assert shown[:2] == ["airflow-kerberos:root 400", "airflow-kerberos:airflow 640"]
    assert run_in(WORKER, "ls", "/run/airflow-kerberos").split() == ["ccache"]


def test_the_ticket_is_renewed_and_valid_at_all_times():
    first, before = run_in(WORKER, "stat", "--format=%Y", CACHE), process()

    def renewed() -> bool:
        code, said = health()
        assert code == 0, said
        return run_in(WORKER, "stat", "--format=%Y", CACHE) != first

    wait_until("a new ticket", renewed, 40)
    assert process() == before


def test_a_kdc_that_does_not_answer_is_reported_and_comes_back():
    before = process()
    run_in(KDC, "systemctl", "stop", "krb5-kdc")
    try:
        wait_until("the health check tells", lambda: "Cannot contact any KDC" in health()[1], 60)
        code, said = health()
        assert code == 1
        assert "the ticket is valid until" in said or "was valid until" in said
    finally:
        run_in(KDC, "systemctl", "start", "krb5-kdc")
    wait_until("a ticket again", lambda: health()[0] == 0, 30)
    # Not by a restart.
    assert process() == before


def test_another_keytab_restarts_the_renewer_alone():
    changed = change("kerberos")
    assert "worker1/airflow-kerberos" in changed.restarted
    assert not {unit for unit in changed.restarted if "airflow-" in unit} - {"worker1/airflow-kerberos"}
    assert "airflow/spare@EXAMPLE.ORG" in run_in(WORKER, "klist", "-k", KEYTAB)
    assert health()[0] == 0
