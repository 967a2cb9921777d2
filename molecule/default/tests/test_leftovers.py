"""What a host had before and does not need any more goes from it, and nothing else does."""

from __future__ import annotations

from pathlib import Path

from cluster_access import ansible, recap

ROOT = Path(__file__).parents[3]
UNIT = """[Service]
Environment=FLIGHTDECK_DIGEST=0
ExecStart=/usr/bin/sleep infinity
Restart=always
[Install]
WantedBy=multi-user.target
"""
HAD = {"worker1": "airflow-triggerer", "db1": "airflow-worker@gpu"}
SECRET, OTHER = "/etc/airflow/secrets/scheduler_lease", "/etc/airflow/secrets/somebody_elses"


def site():
    return recap(ansible(str(ROOT / "site.yml"), program="ansible-playbook", timeout=600))


def test_a_component_that_left_stops_and_goes(host_named):
    own = host_named("worker1").check_output("systemctl show --property=MainPID 'airflow-worker@*.service'")
    for name, unit in HAD.items():
        host = host_named(name)
        host.check_output("mkdir --parents /etc/airflow/secrets")
        host.check_output("printf %%s %s > %s", UNIT, f"/etc/systemd/system/{unit}.service")
        host.check_output(f"systemctl daemon-reload && systemctl enable --now {unit}.service")
        host.check_output(f"touch {SECRET} {OTHER}")
    changed = {host: number for host, (_ok, number) in site().items() if number}
    assert changed == dict.fromkeys(HAD, 2)
    for name, unit in HAD.items():
        host = host_named(name)
        assert not host.service(f"{unit}.service").is_running
        assert not host.file(f"/etc/systemd/system/{unit}.service").exists
        assert (host.file(SECRET).exists, host.file(OTHER).exists) == (False, True)
        host.check_output(f"rm {OTHER}; rmdir --ignore-fail-on-non-empty /etc/airflow/secrets")
    assert host_named("worker1").check_output("systemctl show --property=MainPID 'airflow-worker@*.service'") == own
    assert [host for host, (_ok, number) in site().items() if number] == []
