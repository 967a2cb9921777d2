"""What a rotation waits for, and how it counts a missing answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
NODE = {"metastore": {"patroni": {}, "port": 5432}, "rabbitmq": {"management_port": 1, "admin_user": "admin"}}
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


def run(folder, plays, *arguments, web="here", **variables):
    """What the plays say; the variables are their hosts' and override those of roles."""
    (folder / "plays.yml").write_text(yaml.safe_dump([{"gather_facts": False, **play} for play in plays]))
    unreachable = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    groups = {"airflow_scheduler": {"hosts": {"here": None}}, "airflow_webserver": {"hosts": {web: None}}}
    (folder / "hosts.yml").write_text(
        yaml.safe_dump({"all": {"hosts": {"here": LOCAL, "gone": unreachable}, "children": groups}})
    )
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_DISPLAY_OK_HOSTS": "1",
    }
    command = [
        PLAYBOOK,
        "-i",
        str(folder / "hosts.yml"),
        str(folder / "plays.yml"),
        "-e",
        json.dumps(variables),
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=600, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("host", "arguments", "found"),
    [
        ("here", (), "unknown"),
        ("gone", (), "unknown"),
        # Nothing was stopped, so nothing is waited for.
        ("here", ("--check",), ""),
    ],
)
def test_no_answer_is_not_that_all_tasks_are_finished(tmp_path, host, arguments, found):
    plays = yaml.safe_load((ROOT / "playbooks/phases/pause_scheduling.yml").read_text())
    [waiting] = (play for play in plays if "wait_for_tasks" in yaml.safe_dump(play["tasks"]))
    [going_on] = (play for play in plays if play.get("vars", {}).get("airflow_component_action") == "start")
    saying = {**going_on, "tasks": [{"ansible.builtin.debug": {"msg": "left: <{{ __play_unfinished }}>"}}]}
    cluster = {"database_host": host, "drain_timeout_seconds": 0}
    variables = {"__airflow_python": sys.executable, "__airflow_environment": {}, "airflow_cluster": cluster}
    assert f"left: <{found}>" in run(tmp_path, [waiting, saying], *arguments, web=host, **variables)


@pytest.mark.parametrize(("role", "inactive"), [("metastore", []), ("rabbitmq", "airflow_b")])
def test_in_check_mode_no_service_has_changed_and_none_is_waited_for(tmp_path, role, inactive):
    variables = {
        f"__{role}_inactive": inactive,
        "airflow_cluster": {"nodes": {"here": NODE}},
        "airflow_secrets": {"rabbitmq_admin_password": "secret"},
    }
    retiring = {"name": f"flightdeck.airflow.{role}", "tasks_from": "drop_old_users", "rolespec_validate": False}
    said = run(
        tmp_path, [{"hosts": "here", "tasks": [{"ansible.builtin.import_role": retiring}]}], "--check", **variables
    )
    assert "failed=0" in said, said
    assert "FD164" not in said
