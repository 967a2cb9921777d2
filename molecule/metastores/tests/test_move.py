"""From PostgreSQL to MySQL by inventory; MariaDB is refused by what the server says of itself, and nothing is
restarted then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from cluster_access import CANARY, ansible, recap, wait_until
from outside_database import as_root, database_server
from test_idempotence import SITE

HERE = Path(__file__).parent
PLAYBOOKS = HERE.parents[2] / "playbooks"
MYSQL = str(HERE.parent / "inventory_mysql")
# What runs on both. This file is not among it.
SHARED = [str(HERE.parents[1] / "shared/tests"), str(HERE / "test_database.py")]


@pytest.fixture
def on_mysql(monkeypatch):
    """Ansible with the inventory of the cluster in MySQL."""
    monkeypatch.setenv("FLIGHTDECK_INVENTORY", MYSQL)


@pytest.mark.usefixtures("on_mysql")
def test_mariadb_is_refused_before_any_service_is_touched(host_named):
    show = "systemctl show --property=MainPID airflow-scheduler.service airflow-api-server.service"
    before = host_named("master1").check_output(show)
    urls = {
        f"airflow_metastore_{kind}url": f"{{{{ 'mysql://' ~ outside_{account}_login ~ '@' ~ lab_subnet }}}}.31/airflow"
        for kind, account in (("", "app"), ("owner_", "owner"))
    }
    with pytest.raises(RuntimeError, match=r"FD169 .*MariaDB \(10\."):
        ansible(SITE, "-e", json.dumps(urls), program="ansible-playbook", timeout=600)
    assert host_named("master1").check_output(show) == before


@pytest.mark.usefixtures("on_mysql")
def test_a_cluster_begins_with_an_empty_mysql():
    ansible(SITE, program="ansible-playbook", timeout=1200)
    again = recap(ansible(SITE, program="ansible-playbook", timeout=600))
    assert again
    assert [host for host, (_ok, changed) in again.items() if changed] == []
    ansible(str(PLAYBOOKS / "verify.yml"), program="ansible-playbook", timeout=600)


def test_everything_holds_there_as_well():
    """In a process of its own, because the cluster under test is asked for once per process."""
    command = [sys.executable, "-m", "pytest", "--color=no", "-rA", "-m", "not thorough", *SHARED]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE.parents[2],
        env={**os.environ, "FLIGHTDECK_INVENTORY": MYSQL},
    )
    assert done.returncode == 0, done.stdout[-8000:]


@pytest.mark.usefixtures("on_mysql")
def test_tables_of_airflow_2_are_migrated_where_migrations_may_make_functions(cluster, host_named):
    ask = partial(as_root, database_server(cluster, "mysql"), "mysql")
    # The way down puts aside what has no logical date, which Airflow 2 does not know. It can be gone once only.
    dated = "--run-id=dated --logical-date=2026-01-01T00:00:00Z"
    host_named("master1").check_output(f"airflow dags trigger {dated} {CANARY}")
    runs = "SELECT count(*) FROM dag_run WHERE run_id = 'dated' AND state = 'success'"
    wait_until("a run ends", lambda: ask(runs) == ["1"], 120)
    ansible(str(PLAYBOOKS / "stop.yml"), program="ansible-playbook", timeout=600)
    down = {"airflow_db_command": ["downgrade", "--to-version", "2.11.2", "--yes"]}
    ansible(str(PLAYBOOKS / "airflow_db.yml"), "-e", json.dumps(down), program="ansible-playbook", timeout=600)
    # On MySQL the way down pickles the text of conf, where Airflow 2 would have the pickled dictionary: this empty one.
    ask("UPDATE dag_run SET conf = X'80057D942E'")
    columns = "SHOW COLUMNS FROM task_instance LIKE 'id'"
    with pytest.raises(RuntimeError, match=r"FD178 .*log_bin_trust_function_creators = OFF"):
        ansible(SITE, program="ansible-playbook", timeout=600)
    assert ask(columns) == []
    tries = "SELECT task_id, map_index, state FROM task_instance WHERE run_id = 'dated' ORDER BY 1, 2"
    before = ask(tries)
    assert before
    # As docs/metastores.md tells it.
    ask("SET GLOBAL log_bin_trust_function_creators = 1")
    ansible(SITE, program="ansible-playbook", timeout=1200)
    ask("SET GLOBAL log_bin_trust_function_creators = 0")
    assert ask(tries) == before
    assert ask("SELECT count(*) FROM task_instance WHERE id IS NULL") == ["0"]
    ansible(str(PLAYBOOKS / "verify.yml"), program="ansible-playbook", timeout=600)
